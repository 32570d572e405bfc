import { createHash } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { ByteWriter } from '../encoding/byte.writer.js';
import type { CursorBlock, ExportOffset } from '../export-cursor.service.js';
import { type ExportHead, type Completion, csvHeader, type ExportEncoding } from '../encoding/formats.js';
import type { ResponseWriter } from './response.writer.js';
import type { RowBatch, RowSource } from '../sources/row-source.types.js';

/** The size of the first batch, and of the first one after a stall. */
const INITIAL_ROWS = 500;
/** The number of bytes encoded before other requests get their turn. */
const CHUNK_BYTES = 32 * 1024;
/**
 * The time after which a reader counts as stalled. Only the current chunk of a stalled reader stays in
 * memory.
 */
const STALLED_AFTER_MS = 1000;
/** The time within which a reader must accept a batch to get a larger one next. */
const FAST_READER_MS = 500;
/** The time without progress after which the connection is closed. The client can return with a cursor. */
const READER_TIMEOUT_MS = 10 * 60_000;

type Wrap = NonNullable<ExportEncoding['wrap']>;

/** The export that one connection sends. */
export interface ExportStreamOptions {
  readonly source: RowSource;
  readonly format: ExportEncoding;
  readonly fields: readonly string[];
  readonly beginning: ExportHead;
  readonly from: ExportOffset;
  readonly cursorsFrom: (position: ExportOffset) => CursorBlock;
}

/** The resources that all exports share: turns at the database, and memory. */
export interface SharedLimits {
  read(source: RowSource, after: string, rows: number): Promise<RowBatch>;
  /** The maximum number of rows that one connection may hold. */
  readonly rowsEach: number;
  /** Called after each batch with the number of rows sent. */
  countRows(rows: number): void;
}

/**
 * Sends an export over one connection at the reader's pace. Fetches the next batch while it sends the current
 * one. For a stalled reader it keeps only the position.
 */
export class ExportStream {
  private readonly hash = createHash('sha256');
  private position: ExportOffset;
  private cursors: CursorBlock;
  /** The row number relative to the position of the cursor block. */
  private row = 0;
  private rows = INITIAL_ROWS;
  private readonly lines = new ByteWriter();
  private readonly wrapped = new ByteWriter();

  constructor(
    private readonly responseWriter: ResponseWriter,
    private readonly sending: ExportStreamOptions,
    private readonly shared: SharedLimits,
  ) {
    this.position = sending.from;
    this.cursors = sending.cursorsFrom(sending.from);
  }

  /** Sends the whole export. @throws the abort reason of the connection, or the error that occurred */
  async send(): Promise<Completion> {
    const { format, beginning, from, fields } = this.sending;
    const isFirst = format.encoding === 'csv' && from.count === 0;
    this.responseWriter.write(format.begin(beginning, this.cursors.cursorOf(0)));
    if (isFirst) {
      this.lines.text(csvHeader(fields));
      await this.sendChunk();
    }
    await this.sendBatches();
    return { count: this.position.count, sha256: this.hash.digest('hex') };
  }

  private async sendBatches(): Promise<void> {
    let next: Promise<RowBatch> | null = this.readAfter(this.position.id);
    while (next) {
      const batch: RowBatch = await next;
      next = batch.upTo === null ? null : this.readAfter(batch.upTo);
      if (await this.sendBatch(batch)) continue;
      // The next batch is dropped while the reader is stalled, and fetched again when the reader resumes.
      next = null;
      this.rows = INITIAL_ROWS;
      const taken = await this.responseWriter.isTakenWithin(READER_TIMEOUT_MS);
      if (!taken) throw new Error('the reader has accepted no data for too long');
      next = this.readAfter(this.position.id);
    }
  }

  private readAfter(id: string): Promise<RowBatch> {
    const rows = Math.min(this.rows, this.shared.rowsEach, this.sending.source.maxRows);
    const batch = this.shared.read(this.sending.source, id, rows);
    // The read may fail while the previous batch is still being sent. `sendBatches` handles the error when it
    // awaits this batch.
    batch.catch(() => {});
    return batch;
  }

  /**
   * Sends one batch.
   * @returns false when the reader has stalled; the position then marks the last row encoded
   */
  private async sendBatch(batch: RowBatch): Promise<boolean> {
    const began = performance.now();
    const { format, beginning } = this.sending;
    const before = this.position.count;
    try {
      for (let more = batch.next(); more;) {
        more = this.encodeChunk(batch);
        if (!(await this.sendChunk())) return false;
      }
    } finally {
      this.shared.countRows(this.position.count - before);
    }
    batch.release?.();
    this.responseWriter.write(format.progress(this.position.count, beginning.total_estimate));
    if (performance.now() - began < FAST_READER_MS)
      this.rows = Math.min(this.rows * 2, this.sending.source.maxRows);
    return true;
  }

  /** Encodes rows from the current one on. @returns true if the batch has more rows */
  private encodeChunk(batch: RowBatch): boolean {
    const { lines } = this;
    const { wrap, lineEnd } = this.sending.format;
    let { count } = this.position;
    for (;;) {
      count++;
      const start = lines.length;
      batch.write(lines);
      lines.constant(lineEnd);
      if (wrap) this.wrapRow(wrap, start, batch, count);
      const isFull = lines.length >= CHUNK_BYTES;
      if (!isFull && batch.next()) continue;
      this.position = { id: batch.id(), count };
      return isFull && batch.next();
    }
  }

  /** Wraps the row written last, with the cursor after it. */
  private wrapRow({ cursor, row, after }: Wrap, start: number, batch: RowBatch, count: number): void {
    const { wrapped } = this;
    if (!this.cursors.has(++this.row)) {
      this.cursors = this.sending.cursorsFrom({ id: batch.id(), count });
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
    this.responseWriter.write(sent.written, sent.giveBack);
    const taken = await this.responseWriter.isTakenWithin(STALLED_AFTER_MS);
    await nextTurn();
    return taken;
  }
}
