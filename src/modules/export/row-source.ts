import type { ByteWriter } from './byte-writer.js';
import type { HistorySnapshot } from './exports.repository.js';

/** How a row is written: as a JSON object, or as a record of CSV. */
export type Encoding = 'json' | 'csv';

/** Some rows, encoded as they are taken. */
export interface Piece {
  /** Where the next one begins; null: there is none. */
  readonly upTo: string | null;
  /** Goes on to the next row. @returns false when there is none */
  next(): boolean;
  /** Of the present row; at the end still of the last one. */
  id(): string;
  /** Writes the present row, without a line end. */
  write(out: ByteWriter): void;
  /** All that was wanted of it is written. */
  release?(): void;
}

/** What is exported, as it was at one moment, in the order of ids. */
export interface RowSource {
  /** Rows in one piece, at most. */
  readonly maxRows: number;
  /** `rows` that are looked at: filters may leave fewer. */
  read(after: string, rows: number): Promise<Piece>;
}

export interface Selection<Filters> {
  readonly moment: HistorySnapshot;
  readonly filters: Filters;
  /** In the order in which they are written. */
  readonly fields: readonly string[];
  readonly encoding: Encoding;
}
