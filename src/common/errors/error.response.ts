import { ApiProperty } from '@nestjs/swagger';
import { errorCodes } from './error-codes.js';

class ErrorDetailResponse {
  @ApiProperty({ example: 'email' })
  field: string;

  @ApiProperty({ example: 'email must be an email' })
  message: string;
}

class ErrorFactsResponse {
  @ApiProperty({ enum: Object.keys(errorCodes), example: 'VALIDATION_ERROR' })
  code: string;

  @ApiProperty({ example: 'email must be an email' })
  message: string;

  @ApiProperty({ example: '01890a5d-ac96-774b-bcce-b302099a8057' })
  request_id: string;

  @ApiProperty({ type: [ErrorDetailResponse], required: false })
  details?: ErrorDetailResponse[];
}

/** The error envelope in the OpenAPI document. */
export class ErrorResponse {
  @ApiProperty()
  error: ErrorFactsResponse;
}

/** The same information as RFC 9457 problem details, for `Accept: application/problem+json`. */
export class ProblemResponse {
  @ApiProperty({ example: 'about:blank' })
  type: string;

  /** The reason phrase of the status */
  @ApiProperty({ example: 'Bad Request' })
  title: string;

  @ApiProperty({ type: 'integer', minimum: 400, maximum: 599, example: 400 })
  status: number;

  @ApiProperty({ example: 'email must be an email' })
  detail: string;

  @ApiProperty({ enum: Object.keys(errorCodes), example: 'VALIDATION_ERROR' })
  code: string;

  @ApiProperty({ example: '01890a5d-ac96-774b-bcce-b302099a8057' })
  request_id: string;

  @ApiProperty({ type: [ErrorDetailResponse], required: false })
  errors?: ErrorDetailResponse[];
}
