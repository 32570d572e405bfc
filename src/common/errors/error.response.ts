import { ApiProperty } from '@nestjs/swagger';
import { errorCodes } from './error-codes.js';

export class ErrorDetailResponse {
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
