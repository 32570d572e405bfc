import type { CopiedRows } from '../../platform/database/copy-out.js';
import type { UserResponse } from '../users/dto/user.response.js';
import type { ByteWriter } from './byte-writer.js';
import { csvText } from './csv.js';
import type { Encoding, Piece } from './row-source.js';

/** Writes the value that lies there as PostgreSQL sends it in binary. */
type Encode = (out: ByteWriter, source: Buffer, start: number, end: number) => void;
type Column = Readonly<Record<Encoding, Encode>>;

const EPOCH_MS = Date.UTC(2000, 0, 1);
const DAY_MS = 86_400_000;
const MAX_KNOWN_DAYS = 5000;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const SPACE = 0x20;
const Z = 0x5a;

const quoted =
  (encode: Encode): Encode =>
  (out, source, start, end) => {
    out.byte(QUOTE);
    encode(out, source, start, end);
    out.byte(QUOTE);
  };

const word: Encode = (out, source, start, end) => out.copy(source, start, end);

/** Nearly every text is its own JSON. */
const jsonText: Encode = (out, source, start, end) => {
  for (let i = start; i < end; i++) {
    const byte = source[i]!;
    if (byte >= SPACE && byte !== QUOTE && byte !== BACKSLASH) continue;
    out.text(JSON.stringify(source.toString('utf8', start, end)));
    return;
  }
  out.byte(QUOTE);
  out.copy(source, start, end);
  out.byte(QUOTE);
};

const csvCell: Encode = (out, source, start, end) => out.text(csvText(source.toString('utf8', start, end)));

/** An array: dimensions, flags, type, and of its one dimension length and lower bound; then each element after its length. */
const roles =
  (open: Buffer, between: Buffer, close: Buffer): Encode =>
  (out, source, start, end) => {
    if (source.readInt32BE(start) === 0) {
      out.ascii(open.length === 0 ? '' : '[]');
      return;
    }
    out.bytesOf(open);
    for (let at = start + 20; at < end;) {
      const length = source.readInt32BE(at);
      if (at > start + 20) out.bytesOf(between);
      out.copy(source, at + 4, at + 4 + length);
      at += 4 + length;
    }
    out.bytesOf(close);
  };

const knownDays = new Map<number, Buffer>();

/** `2026-01-01T`: accounts have few days between them. */
function dayOf(day: number): Buffer {
  const known = knownDays.get(day);
  if (known !== undefined) return known;
  if (knownDays.size >= MAX_KNOWN_DAYS) knownDays.clear();
  const text = Buffer.from(new Date(day * DAY_MS).toISOString().slice(0, 11));
  knownDays.set(day, text);
  return text;
}

/** Microseconds since the year 2000. */
const time: Encode = (out, source, start) => {
  const micros = source.readInt32BE(start) * 2 ** 32 + source.readUInt32BE(start + 4);
  const ms = Math.floor(micros / 1000) + EPOCH_MS;
  const day = Math.floor(ms / DAY_MS);
  out.bytesOf(dayOf(day));
  out.timeOfDay(ms - day * DAY_MS);
  out.byte(Z);
};

const uuid: Encode = (out, source, start) => out.uuid(source, start);
const [TRUE, FALSE] = [Buffer.from('true'), Buffer.from('false')] as const;
const boolean: Encode = (out, source, start) => out.bytesOf(source[start] === 1 ? TRUE : FALSE);
const integer: Encode = (out, source, start) => out.ascii(String(source.readInt32BE(start)));

const TEXT: Column = { json: jsonText, csv: csvCell };
const TIME: Column = { json: quoted(time), csv: time };

/** In the order in which they travel. */
const columns: Readonly<Record<keyof UserResponse, Column>> = {
  id: { json: quoted(uuid), csv: uuid },
  email: TEXT,
  name: TEXT,
  status: { json: quoted(word), csv: word },
  roles: {
    json: roles(Buffer.from('["'), Buffer.from('","'), Buffer.from('"]')),
    csv: roles(Buffer.alloc(0), Buffer.from(';'), Buffer.alloc(0)),
  },
  email_verified: { json: boolean, csv: boolean },
  version: { json: integer, csv: integer },
  last_login_at: TIME,
  created_at: TIME,
  updated_at: TIME,
};

export type UserField = keyof UserResponse;
export const userFields = Object.keys(columns) as UserField[];

/** Accounts from bytes to bytes: no object and no string is made of a row. The first column is the id, then `fields`. */
export class UserPiece implements Piece {
  private readonly encoders: readonly Encode[];
  private readonly before: readonly Buffer[];
  private readonly absent: Buffer;
  private readonly end: Buffer;

  constructor(
    private readonly rows: CopiedRows,
    readonly upTo: string | null,
    fields: readonly UserField[],
    encoding: Encoding,
  ) {
    const json = encoding === 'json';
    this.encoders = fields.map((field) => columns[field][encoding]);
    this.before = fields.map((field, i) =>
      Buffer.from(json ? `${i === 0 ? '{' : ','}"${field}":` : i === 0 ? '' : ','),
    );
    this.absent = Buffer.from(json ? 'null' : '');
    this.end = Buffer.from(json ? '}' : '');
  }

  next(): boolean {
    return this.rows.next();
  }

  release(): void {
    this.rows.release();
  }

  id(): string {
    const { bytes, starts } = this.rows;
    const hex = bytes.toString('hex', starts[0], starts[0]! + 16);
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
  }

  write(out: ByteWriter): void {
    const { bytes, starts, lengths } = this.rows;
    for (let i = 0; i < this.encoders.length; i++) {
      out.bytesOf(this.before[i]!);
      const start = starts[i + 1]!;
      const length = lengths[i + 1]!;
      if (length < 0) out.bytesOf(this.absent);
      else this.encoders[i]!(out, bytes, start, start + length);
    }
    out.bytesOf(this.end);
  }
}
