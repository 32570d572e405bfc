import { createHash } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { ByteWriter } from './byte-writer.js';
import type { CursorBlock, ExportPosition } from './export-cursor.js';
import { type Beginning, type Completion, csvHeader, type Format } from './formats.js';
import type { Outlet } from './outlet.js';
import type { Piece, RowSource } from './row-source.js';

/** Of the first piece, and of each after a stall. */
const FEW_ROWS = 500;
/** Encoded before others get their turn. */
const CHUNK_BYTES = 32 * 1024;
/** A reader who takes longer for a chunk keeps nothing of ours in memory but that chunk. */
const STALLED_AFTER_MS = 1000;
/** ... and one who takes a piece within this gets a greater one next. */
const QUICK_MS = 500;
/** Who has not taken a byte for so long is gone, or may come back with a cursor. */
const GIVEN_UP_AFTER_MS = 10 * 60_000;

type Wrap = NonNullable<Format['wrap']>;

/** What a connection is to send. */
export interface Sending {
  readonly source: RowSource;
  readonly format: Format;
  readonly fields: readonly string[];
  readonly beginning: Beginning;
  readonly from: ExportPosition;
  readonly cursorsFrom: (position: ExportPosition) => CursorBlock;
}

/** What it shares with the others: turns at the database, and memory. */
export interface Shared {
  read(source: RowSource, after: string, rows: number): Promise<Piece>;
  /** Rows that this one may hold at once. */
  readonly rowsEach: number;
}

/**
 * Sends an export over one connection, at the pace of its reader. While one piece is sent the next is read;
 * of a reader who stalls nothing is kept but the place.
 */
export class ExportConnection {
  private readonly hash = createHash('sha256');
  private position: ExportPosition;
  private cursors: CursorBlock;
  /** After the position of the cursors. */
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

  /** @throws what the outlet's end was aborted with, or what went wrong */
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
      // What was read is dropped while nobody takes it, and read again when somebody does.
      next = null;
      this.rows = FEW_ROWS;
      const taken = await this.outlet.isTakenWithin(GIVEN_UP_AFTER_MS);
      if (!taken) throw new Error('the reader has taken nothing for too long');
      next = this.readAfter(this.position.id);
    }
  }

  private readAfter(id: string): Promise<Piece> {
    const rows = Math.min(this.rows, this.shared.rowsEach, this.sending.source.maxRows);
    const piece = this.shared.read(this.sending.source, id, rows);
    // It may fail while the one before it is still being sent: it is told when it is its turn.
    piece.catch(() => {});
    return piece;
  }

  /** @returns false when the reader has stalled; the position tells how far it came */
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

  /** From the present row on. @returns whether there are more */
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

  /** The row that was written last, and the cursor after it. */
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

  /** @returns false when it is not taken in time; it is sent nevertheless */
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
