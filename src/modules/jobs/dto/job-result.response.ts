import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { type ErrorCode, errorCodes } from '../../../common/errors/error-codes.js';
import {
  type RowAction,
  rowActions,
  type RowResult,
  type RowStatus,
  rowStatuses,
} from '../job-registry.service.js';

class RowErrorResponse {
  @ApiProperty({ enum: Object.keys(errorCodes), example: 'NOT_FOUND' })
  code: ErrorCode;

  /** @example "Not found" */
  message: string;
}

/** The result of one row of a job, as the API returns it. */
export class JobResultResponse {
  /** The index of the row in the request, from 0 */
  @ApiProperty({ type: 'integer', minimum: 0, example: 0 })
  index: number;

  /** The id of the item */
  @ApiPropertyOptional({ format: 'uuid', example: '0192f1c4-8a4e-7c31-9d52-3f6f0c2b7a10' })
  id?: string;

  /** The number of the row's line in the imported file, from 1 */
  @ApiPropertyOptional({ type: 'integer', minimum: 1, example: 2 })
  line?: number;

  /** The address of the imported row, for callers with `users:read` or `users:write`. Rows that changed no user show that of an existing one
   * only with `users:read`. Rows without a user have one for a day
   * @example ada@example.com */
  email?: string;

  /** The action of an import on the row. In a dry run, the action that it would take */
  @ApiPropertyOptional({ enum: rowActions, example: 'created' })
  action?: RowAction;

  /** The result of the row. `skipped` means that the job ended before this row ran, or that an import left an existing user alone */
  @ApiProperty({ enum: rowStatuses, example: 'ok' })
  status: RowStatus;

  /** The reason for the failure */
  @ApiPropertyOptional({
    type: RowErrorResponse,
    example: { code: 'NOT_FOUND', message: 'Not found' },
  })
  error?: RowErrorResponse;
}

export function toJobResultResponse(row: RowResult): JobResultResponse {
  const { index, itemId, status, errorCode, errorMessage, line, email, action } = row;
  return {
    index,
    ...(itemId !== null && { id: itemId }),
    ...(isKnown(line) && { line }),
    ...(isKnown(email) && { email }),
    ...(isKnown(action) && { action }),
    status,
    // The stored code was written from the table of error codes.
    ...(errorCode !== null && { error: { code: errorCode as ErrorCode, message: errorMessage ?? '' } }),
  };
}

const isKnown = <T>(value: T | null | undefined): value is T => value !== null && value !== undefined;
