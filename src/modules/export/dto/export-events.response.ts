import { ApiProperty } from '@nestjs/swagger';

const SHA_256 = 'b5d4045c3f466fa91fe2cc6abe79232a1a57cdf104f7a26e716e0a1e2789df78';

/** The event `start` of an export, the first of every connection. */
export class ExportStartResponse {
  /** The id of the export, which stays the same when it is resumed */
  @ApiProperty({ format: 'uuid', example: '0192f1c4-8a4e-7c31-9d52-3f6f0c2b7a10' })
  export_id: string;

  /** The moment that the rows show */
  @ApiProperty({ format: 'date-time', example: '2026-01-01T12:00:00.000Z' })
  snapshot_at: string;

  /** The estimated number of rows in the whole export */
  @ApiProperty({ type: 'integer', minimum: 0, example: 1000 })
  total_estimate: number;
}

/** The event `progress` of an export. */
export class ExportProgressResponse {
  /** The number of rows so far, including those of earlier connections */
  @ApiProperty({ type: 'integer', minimum: 0, example: 500 })
  count: number;

  /** The estimated number of rows in the whole export */
  @ApiProperty({ type: 'integer', minimum: 0, example: 1000 })
  total_estimate: number;
}

/** The event `complete`, which ends a complete export. */
export class ExportCompletionResponse {
  /** The number of rows of the whole export, including those of earlier connections */
  @ApiProperty({ type: 'integer', minimum: 0, example: 1000 })
  count: number;

  /** The hash of the rows of this connection, before compression */
  @ApiProperty({ pattern: '^[0-9a-f]{64}$', example: SHA_256 })
  sha256: string;
}

/** The last line of a complete export as NDJSON. */
export class ExportLastLineResponse {
  /** The count and the hash of the rows */
  @ApiProperty({ type: ExportCompletionResponse })
  _complete: ExportCompletionResponse;
}
