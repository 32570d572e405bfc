import type { Duplex } from 'node:stream';
import { SharedBufferSocket, type Reader } from '../connections/shared-buffer.socket.js';
import type { Connection, Pool, Submittable } from 'pg';

const FIRST_BYTES = 64 * 1024;
/**
 * Signature, flags and the length of the header extension, which is empty (PostgreSQL, "Binary Format" of
 * COPY).
 */
const HEADER_BYTES = 19;
/** The prefix of a protocol message: its type (1 byte) and its length without the type (4 bytes). */
const PREFIX_BYTES = 5;
const COPY_DATA = 0x64;
/**
 * CopyOutResponse, NoticeResponse, ParameterStatus and NotificationResponse, which may precede or interleave
 * with rows.
 */
const PASSED_ON: ReadonlySet<number> = new Set([0x48, 0x4e, 0x53, 0x41]);

/**
 * Buffers kept for reuse, smallest first. Allocating one per batch would create megabytes of garbage: each
 * export would trigger a full GC, and every request would wait for it.
 */
const spareBuffers: Buffer[] = [];
const MAX_SPARE = 4;
const MAX_SPARE_BYTES = 4 * 1024 * 1024;

function takeBuffer(bytes: number): Buffer {
  const found = spareBuffers.findIndex((room) => room.length >= bytes);
  return found < 0 ? Buffer.allocUnsafe(bytes) : spareBuffers.splice(found, 1)[0]!;
}

/** Keeps the largest buffers, because they also serve smaller requests. */
function keepBuffer(room: Buffer): void {
  if (room.length > MAX_SPARE_BYTES) return;
  spareBuffers.push(room);
  spareBuffers.sort((one, other) => one.length - other.length);
  if (spareBuffers.length > MAX_SPARE) spareBuffers.shift();
}

/** Redirects the stream's data to `reader` until the returned function is called. */
function redirect(stream: Duplex, reader: Reader): () => void {
  if (stream instanceof SharedBufferSocket) {
    stream.reader = reader;
    return () => (stream.reader = null);
  }
  const listeners = stream.listeners('data') as Reader[];
  stream.removeAllListeners('data').on('data', reader);
  return () => {
    stream.off('data', reader);
    for (const listener of listeners) stream.on('data', listener);
  };
}

/**
 * A COPY collected in memory. pg would create an object and emit an event for each row, which takes longer
 * than all other work on the row. This class keeps the messages of rows as raw bytes and passes every other
 * message to pg.
 */
export class CopyOut implements Submittable {
  readonly done: Promise<Buffer>;
  private bytes: Buffer;
  private length = 0;
  /** The offset of the first message that has not arrived completely. */
  private message = 0;
  private failure: Error | null = null;
  private finish: () => void = () => {};
  private letGo: (rest: Buffer | null) => void = () => {};

  /** Allocates room for `expectedBytes` up front. */
  constructor(
    readonly text: string,
    expectedBytes: number,
  ) {
    this.bytes = takeBuffer(Math.max(expectedBytes, FIRST_BYTES));
    this.done = new Promise((resolve, reject) => {
      this.finish = () => {
        if (this.failure) reject(this.failure);
        else resolve(this.bytes);
      };
    });
  }

  submit(connection: Connection): void {
    const { stream } = connection as Connection & { readonly stream: Duplex };
    const listeners = stream.listeners('data');
    const others = (bytes: Buffer) => {
      const kept = Buffer.from(bytes);
      for (const listener of listeners) listener(kept);
    };
    const giveBack = redirect(stream, (bytes) => this.read(bytes, others));
    this.letGo = (rest) => {
      this.letGo = () => {};
      giveBack();
      if (rest) others(rest);
    };
    connection.query(this.text);
  }

  handleCommandComplete(): void {}

  /** Fails the COPY. pg reports errors only after all rows have arrived or when none will. */
  handleError(error: Error): void {
    this.failure = error;
    this.letGo(null);
    this.finish();
  }

  handleReadyForQuery(): void {
    this.finish();
  }

  private read(chunk: Buffer, others: (message: Buffer) => void): void {
    this.keep(chunk);
    while (this.length - this.message >= PREFIX_BYTES) {
      const { bytes, length, message: start } = this;
      const kind = bytes[start]!;
      const end = start + 1 + bytes.readInt32BE(start + 1);
      if (kind === COPY_DATA) {
        this.message = end;
        continue;
      }
      if (!PASSED_ON.has(kind)) {
        this.letGo(bytes.subarray(start, length));
        return;
      }
      if (end > length) return;
      others(bytes.subarray(start, end));
      bytes.copyWithin(start, end, length);
      this.length -= end - start;
    }
  }

  private keep(chunk: Buffer): void {
    const length = this.length + chunk.length;
    if (length > this.bytes.length) {
      const more = Buffer.allocUnsafe(Math.max(length, this.bytes.length * 2));
      this.bytes.copy(more, 0, 0, this.length);
      this.bytes = more;
    }
    chunk.copy(this.bytes, this.length);
    this.length = length;
  }
}

/**
 * Reads the rows of a query through COPY, the fastest way out of PostgreSQL. The rows are held in memory and
 * the connection is released before they are processed, so the caller must bound their number.
 */
export async function copyOut(pool: Pool, select: string, expectedBytes: number): Promise<CopiedRows> {
  const client = await pool.connect();
  let broken = true;
  try {
    const bytes = await client.query(new CopyOut(`COPY (${select}) TO STDOUT (FORMAT binary)`, expectedBytes))
      .done;
    broken = false;
    return new CopiedRows(bytes);
  } finally {
    client.release(broken);
  }
}

/** Iterates over the rows of a COPY, one message per row (PostgreSQL, "COPY Operations"). */
export class CopiedRows {
  /**
   * The offset of the current row's values. Each value is preceded by its length in four bytes, which is -1
   * for null.
   */
  start = 0;
  /** The offset of the end of the current row. */
  end = 0;

  constructor(readonly bytes: Buffer) {}

  /** Returns the buffer for reuse. The rows must not be read afterwards. */
  release(): void {
    keepBuffer(this.bytes);
  }

  /**
   * Advances to the next row.
   * @returns false after the last row
   */
  next(): boolean {
    const { bytes, end: message } = this;
    const row = message + PREFIX_BYTES + (message === 0 ? HEADER_BYTES : 0);
    // The number of values, or -1 after the last row.
    if (bytes.readInt16BE(row) < 0) return false;
    this.start = row + 2;
    this.end = message + 1 + bytes.readInt32BE(message + 1);
    return true;
  }
}
