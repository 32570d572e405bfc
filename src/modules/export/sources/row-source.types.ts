import type { ByteWriter } from '../encoding/byte.writer.js';
import type { HistorySnapshot } from '../exports.repository.js';

/** The encoding of a row: a JSON object or a CSV record. */
export type Encoding = 'json' | 'csv';

/** A batch of rows that are encoded one at a time. */
export interface RowBatch {
  /** The id at which the next batch begins, or null after the last batch. */
  readonly upTo: string | null;
  /** Moves to the next row. @returns false when none is left */
  next(): boolean;
  /** Returns the id of the current row. At the end, that is still the last row. */
  id(): string;
  /** Encodes the current row without a line end. */
  write(out: ByteWriter): void;
  /** Frees the batch once every needed row is encoded. */
  release?(): void;
}

/** The rows of an export as of its snapshot, in id order. */
export interface RowSource {
  /** The maximum number of rows in a batch. */
  readonly maxRows: number;
  /** Examines `rows` rows after the id `after`. Filters may leave fewer. */
  read(after: string, rows: number): Promise<RowBatch>;
}

export interface Selection<Filters> {
  readonly moment: HistorySnapshot;
  readonly filters: Filters;
  /** The fields in output order. */
  readonly fields: readonly string[];
  readonly encoding: Encoding;
}
