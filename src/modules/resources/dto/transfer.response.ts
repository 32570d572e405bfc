import { ApiProperty } from '@nestjs/swagger';
import { MAX_TRANSFERRED } from './transfer-resources.dto.js';

/** What a transfer has moved, or in a dry run would move. */
export class TransferResponse {
  /** How many resources */
  @ApiProperty({ type: 'integer', minimum: 1, maximum: MAX_TRANSFERRED, example: 1 })
  transferred: number;

  /** The `ownership.transferred` in the giver's history; null in a dry run */
  @ApiProperty({
    type: String,
    format: 'uuid',
    nullable: true,
    example: '0192f1c4-8a4e-7c31-9d52-3f6f0c2b7a10',
  })
  event_id: string | null;
}
