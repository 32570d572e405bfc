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

/** Rooms that are used again: the collector would be busy with them otherwise, and late. */
const MAX_SPARE = 4;
const spare: Buffer[] = [];

function roomFor(bytes: number): Buffer {
  const found = spare.findIndex((room) => room.length >= bytes && room.length <= bytes * 2);
  return found < 0 ? Buffer.allocUnsafe(bytes) : spare.splice(found, 1)[0]!;
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
 * else that is done with it: while rows come, their messages are read here, and everything else is handed to pg.
 */
export class CopyOut implements Submittable {
  readonly done: Promise<Buffer>;
  private bytes: Buffer;
  private length = 0;
  /** Of the row that is coming, still to come. */
  private missing = 0;
  /** The beginning of a message that has not come whole. */
  private begun: Buffer | null = null;
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
    const bytes = this.begun ? Buffer.concat([this.begun, chunk]) : chunk;
    this.begun = null;
    let at = this.missing > 0 ? this.keep(bytes, 0, this.missing) : 0;
    while (bytes.length - at >= PREFIX_BYTES) {
      const kind = bytes[at]!;
      const size = bytes.readInt32BE(at + 1) - 4;
      if (kind === COPY_DATA) {
        at = this.keep(bytes, at + PREFIX_BYTES, size);
        continue;
      }
      if (!PASSED_ON.has(kind)) {
        this.letGo(bytes.subarray(at));
        return;
      }
      const end = at + PREFIX_BYTES + size;
      if (end > bytes.length) break;
      others(bytes.subarray(at, end));
      at = end;
    }
    if (at < bytes.length) this.begun = Buffer.from(bytes.subarray(at));
  }

  /** @returns where the next message begins */
  private keep(source: Buffer, start: number, size: number): number {
    const end = Math.min(start + size, source.length);
    this.missing = size - (end - start);
    const length = this.length + end - start;
    if (length > this.bytes.length) {
      const more = Buffer.allocUnsafe(Math.max(length, this.bytes.length * 2));
      this.bytes.copy(more, 0, 0, this.length);
      this.bytes = more;
    }
    source.copy(this.bytes, this.length, start, end);
    this.length = length;
    return end;
  }
}

/**
 * The rows of a query by COPY, the fastest way out of the database. Whole in memory, and the connection is free
 * again before anything is done with them: the caller bounds how many they are.
 */
export async function copyOut(
  pool: Pool,
  select: string,
  { columns, expectedBytes }: { columns: number; expectedBytes: number },
): Promise<CopiedRows> {
  const client = await pool.connect();
  let broken = true;
  try {
    const bytes = await client.query(new CopyOut(`COPY (${select}) TO STDOUT (FORMAT binary)`, expectedBytes))
      .done;
    broken = false;
    return new CopiedRows(bytes, columns);
  } finally {
    client.release(broken);
  }
}

/** One row after the other, each value where it lies. */
export class CopiedRows {
  /** Of each value of the present row; where it is null, its length is -1. */
  readonly starts: Int32Array;
  readonly lengths: Int32Array;
  private at = HEADER_BYTES;

  constructor(
    readonly bytes: Buffer,
    private readonly columns: number,
  ) {
    this.starts = new Int32Array(columns);
    this.lengths = new Int32Array(columns);
  }

  /** Nobody reads them any more. */
  release(): void {
    if (spare.length < MAX_SPARE) spare.push(this.bytes);
  }

  /** Goes on to the next row. @returns false when there is none */
  next(): boolean {
    const { bytes, starts, lengths } = this;
    if (bytes.readInt16BE(this.at) !== this.columns) return false;
    let at = this.at + 2;
    for (let column = 0; column < this.columns; column++) {
      const length = bytes.readInt32BE(at);
      at += 4;
      starts[column] = at;
      lengths[column] = length;
      if (length > 0) at += length;
    }
    this.at = at;
    return true;
  }
}
