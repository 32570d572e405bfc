import type { HistorySnapshot } from './exports.repository.js';

/** How a row is written: as a JSON object, or as a record of CSV. */
export type Encoding = 'json' | 'csv';

export interface EncodedRow {
  readonly id: string;
  /** Without a line end. */
  readonly text: string;
}

/** Some rows in a row, encoded as they are taken. */
export interface Piece {
  readonly rows: Iterator<EncodedRow>;
  /** Where the next one begins; null: there is none. */
  readonly upTo: string | null;
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
