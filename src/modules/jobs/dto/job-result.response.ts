import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { type ErrorCode, errorCodes } from '../../../common/errors/error-codes.js';
import { type RowResult, type RowStatus, rowStatuses } from '../job-kinds.service.js';

class RowErrorResponse {
  @ApiProperty({ enum: Object.keys(errorCodes), example: 'NOT_FOUND' })
  code: ErrorCode;

  /** @example "Not found" */
  message: string;
}

/** What became of one row of a job, as it travels. */
export class JobResultResponse {
  /** Its place in the request, from 0 */
  @ApiProperty({ type: 'integer', minimum: 0, example: 0 })
  index: number;

  /** What it was done to */
  @ApiPropertyOptional({ format: 'uuid', example: '0192f1c4-8a4e-7c31-9d52-3f6f0c2b7a10' })
  id?: string;

  /** `skipped`: the job ended before it */
  @ApiProperty({ enum: rowStatuses, example: 'ok' })
  status: RowStatus;

  /** Why it failed */
  @ApiPropertyOptional({
    type: RowErrorResponse,
    example: { code: 'NOT_FOUND', message: 'Not found' },
  })
  error?: RowErrorResponse;
}

export function toJobResultResponse(row: RowResult): JobResultResponse {
  const { index, itemId, status, errorCode, errorMessage } = row;
  return {
    index,
    ...(itemId !== null && { id: itemId }),
    status,
    // What stands there was written as a code of the table.
    ...(errorCode !== null && { error: { code: errorCode as ErrorCode, message: errorMessage ?? '' } }),
  };
}
