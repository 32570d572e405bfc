import { ApiProperty } from '@nestjs/swagger';
import { MAX_TRANSFERRED } from './transfer-resources.dto.js';

/** The result of a transfer or of its dry run. */
export class TransferResponse {
  /** The number of resources transferred, or in a dry run the number that would be */
  @ApiProperty({ type: 'integer', minimum: 1, maximum: MAX_TRANSFERRED, example: 1 })
  transferred: number;

  /** The id of the `ownership.transferred` event in the giver's history. Null in a dry run */
  @ApiProperty({
    type: String,
    format: 'uuid',
    nullable: true,
    example: '0192f1c4-8a4e-7c31-9d52-3f6f0c2b7a10',
  })
  event_id: string | null;
}
