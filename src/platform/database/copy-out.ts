import type { Duplex } from 'node:stream';
import { OneBufferSocket, type Reader } from './one-buffer-socket.js';
import type { Connection, Pool, Submittable } from 'pg';

const FIRST_BYTES = 64 * 1024;
/** Signature, flags and the length of what nobody sends (PostgreSQL, "Binary Format" of COPY). */
const HEADER_BYTES = 19;
/** Of a message of the protocol: its kind, and its length without the kind. */
const PREFIX_BYTES = 5;
const COPY_DATA = 0x64;
/** CopyOutResponse, NoticeResponse, ParameterStatus, NotificationResponse: they may stand before and between rows. */
const PASSED_ON: ReadonlySet<number> = new Set([0x48, 0x4e, 0x53, 0x41]);

/**
 * Rooms that are used again, the smallest first. A room for each piece would be megabytes that come and go: the collector
 * then marks all that lives, once an export, and every request waits for it.
 */
const spare: Buffer[] = [];
const MAX_SPARE = 4;
const MAX_SPARE_BYTES = 4 * 1024 * 1024;

function roomFor(bytes: number): Buffer {
  const found = spare.findIndex((room) => room.length >= bytes);
  return found < 0 ? Buffer.allocUnsafe(bytes) : spare.splice(found, 1)[0]!;
}

/** The largest are kept: they serve for less as well. */
function keepSpare(room: Buffer): void {
  if (room.length > MAX_SPARE_BYTES) return;
  spare.push(room);
  spare.sort((one, other) => one.length - other.length);
  if (spare.length > MAX_SPARE) spare.shift();
}

/** From now on `reader` gets what the stream brings, until the returned function is called. */
function borrow(stream: Duplex, reader: Reader): () => void {
  if (stream instanceof OneBufferSocket) {
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
 * A COPY that is gathered in memory. pg would make an object and an event of each row, which takes longer than all
 * else that is done with it: while rows come, their messages are kept here as they are, and every other is handed to pg.
 */
export class CopyOut implements Submittable {
  readonly done: Promise<Buffer>;
  private bytes: Buffer;
  private length = 0;
  /** Where the message begins that has not come whole. */
  private message = 0;
  private failure: Error | null = null;
  private finish: () => void = () => {};
  private letGo: (rest: Buffer | null) => void = () => {};

  /** `expectedBytes`: for so much there is room from the beginning. */
  constructor(
    readonly text: string,
    expectedBytes: number,
  ) {
    this.bytes = roomFor(Math.max(expectedBytes, FIRST_BYTES));
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
    const giveBack = borrow(stream, (bytes) => this.read(bytes, others));
    this.letGo = (rest) => {
      this.letGo = () => {};
      giveBack();
      if (rest) others(rest);
    };
    connection.query(this.text);
  }

  handleCommandComplete(): void {}

  /** Whatever pg says: it has seen it because all rows are here, or because there are none. */
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
 * The rows of a query by COPY, the fastest way out of the database. Whole in memory, and the connection is free
 * again before anything is done with them: the caller bounds how many they are.
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

/** One row after the other: there is a message of each (PostgreSQL, "COPY Operations"). */
export class CopiedRows {
  /** Where the values of the present row begin: of each its length in four bytes, -1 where it is null, then itself. */
  start = 0;
  /** Where they end. */
  end = 0;

  constructor(readonly bytes: Buffer) {}

  /** Nobody reads them any more. */
  release(): void {
    keepSpare(this.bytes);
  }

  /** Goes on to the next row. @returns false when there is none */
  next(): boolean {
    const { bytes, end: message } = this;
    const row = message + PREFIX_BYTES + (message === 0 ? HEADER_BYTES : 0);
    // The number of values; -1 says that there are no more rows.
    if (bytes.readInt16BE(row) < 0) return false;
    this.start = row + 2;
    this.end = message + 1 + bytes.readInt32BE(message + 1);
    return true;
  }
}
