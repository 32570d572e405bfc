import { createHash } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { ByteWriter } from './byte-writer.js';
import type { CursorBlock, ExportPosition } from './export-cursor.js';
import { type Beginning, type Completion, csvHeader, type Format } from './formats.js';
import type { Outlet } from './outlet.js';
import type { Piece, RowSource } from './row-source.js';

/** The size of the first batch, and of the first one after a stall. */
const FEW_ROWS = 500;
/** The number of bytes encoded before other requests get their turn. */
const CHUNK_BYTES = 32 * 1024;
/**
 * The time after which a reader counts as stalled. Only the current chunk of a stalled reader stays in
 * memory.
 */
const STALLED_AFTER_MS = 1000;
/** The time within which a reader must accept a batch to get a larger one next. */
const QUICK_MS = 500;
/** The time without progress after which the connection is closed. The client can return with a cursor. */
const GIVEN_UP_AFTER_MS = 10 * 60_000;

type Wrap = NonNullable<Format['wrap']>;

/** The export that one connection sends. */
export interface Sending {
  readonly source: RowSource;
  readonly format: Format;
  readonly fields: readonly string[];
  readonly beginning: Beginning;
  readonly from: ExportPosition;
  readonly cursorsFrom: (position: ExportPosition) => CursorBlock;
}

/** The resources that all exports share: turns at the database, and memory. */
export interface Shared {
  read(source: RowSource, after: string, rows: number): Promise<Piece>;
  /** The maximum number of rows that one connection may hold. */
  readonly rowsEach: number;
}

/**
 * Sends an export over one connection at the reader's pace. Fetches the next batch while it sends the current
 * one. For a stalled reader it keeps only the position.
 */
export class ExportConnection {
  private readonly hash = createHash('sha256');
  private position: ExportPosition;
  private cursors: CursorBlock;
  /** The row number relative to the position of the cursor block. */
  private row = 0;
  private rows = FEW_ROWS;
  private readonly lines = new ByteWriter();
  private readonly wrapped = new ByteWriter();

  constructor(
    private readonly outlet: Outlet,
    private readonly sending: Sending,
    private readonly shared: Shared,
  ) {
    this.position = sending.from;
    this.cursors = sending.cursorsFrom(sending.from);
  }

  /** Sends the whole export. @throws the abort reason of the connection, or the error that occurred */
  async send(): Promise<Completion> {
    const { format, beginning, from, fields } = this.sending;
    const isFirst = format.encoding === 'csv' && from.count === 0;
    this.outlet.write(format.begin(beginning, this.cursors.cursorOf(0)));
    if (isFirst) {
      this.lines.text(csvHeader(fields));
      await this.sendChunk();
    }
    await this.sendPieces();
    return { count: this.position.count, sha256: this.hash.digest('hex') };
  }

  private async sendPieces(): Promise<void> {
    let next: Promise<Piece> | null = this.readAfter(this.position.id);
    while (next) {
      const piece: Piece = await next;
      next = piece.upTo === null ? null : this.readAfter(piece.upTo);
      if (await this.sendPiece(piece)) continue;
      // The next batch is dropped while the reader is stalled, and fetched again when the reader resumes.
      next = null;
      this.rows = FEW_ROWS;
      const taken = await this.outlet.isTakenWithin(GIVEN_UP_AFTER_MS);
      if (!taken) throw new Error('the reader has accepted no data for too long');
      next = this.readAfter(this.position.id);
    }
  }

  private readAfter(id: string): Promise<Piece> {
    const rows = Math.min(this.rows, this.shared.rowsEach, this.sending.source.maxRows);
    const piece = this.shared.read(this.sending.source, id, rows);
    // The read may fail while the previous batch is still being sent. `sendPieces` handles the error when it
    // awaits this batch.
    piece.catch(() => {});
    return piece;
  }

  /**
   * Sends one batch.
   * @returns false when the reader has stalled; the position then marks the last row encoded
   */
  private async sendPiece(piece: Piece): Promise<boolean> {
    const began = performance.now();
    const { format, beginning } = this.sending;
    for (let more = piece.next(); more;) {
      more = this.encodeChunk(piece);
      if (!(await this.sendChunk())) return false;
    }
    piece.release?.();
    this.outlet.write(format.progress(this.position.count, beginning.total_estimate));
    if (performance.now() - began < QUICK_MS)
      this.rows = Math.min(this.rows * 2, this.sending.source.maxRows);
    return true;
  }

  /** Encodes rows from the current one on. @returns true if the batch has more rows */
  private encodeChunk(piece: Piece): boolean {
    const { lines } = this;
    const { wrap, lineEnd } = this.sending.format;
    let { count } = this.position;
    for (;;) {
      count++;
      const start = lines.length;
      piece.write(lines);
      lines.constant(lineEnd);
      if (wrap) this.wrapRow(wrap, start, piece, count);
      const isFull = lines.length >= CHUNK_BYTES;
      if (!isFull && piece.next()) continue;
      this.position = { id: piece.id(), count };
      return isFull && piece.next();
    }
  }

  /** Wraps the row written last, with the cursor after it. */
  private wrapRow({ cursor, row, after }: Wrap, start: number, piece: Piece, count: number): void {
    const { wrapped } = this;
    if (!this.cursors.has(++this.row)) {
      this.cursors = this.sending.cursorsFrom({ id: piece.id(), count });
      this.row = 0;
    }
    wrapped.constant(cursor);
    wrapped.ascii(this.cursors.prefix);
    wrapped.ascii(this.cursors.suffixOf(this.row));
    wrapped.constant(row);
    wrapped.copyOf(this.lines, start);
    wrapped.constant(after);
  }

  /**
   * Sends the encoded bytes.
   * @returns false when the reader does not accept them in time; they remain queued
   */
  private async sendChunk(): Promise<boolean> {
    const lines = this.lines.take();
    this.hash.update(lines.written);
    const sent = this.sending.format.wrap ? this.wrapped.take() : lines;
    if (sent !== lines) lines.giveBack();
    this.outlet.write(sent.written, sent.giveBack);
    const taken = await this.outlet.isTakenWithin(STALLED_AFTER_MS);
    await nextTurn();
    return taken;
  }
}
