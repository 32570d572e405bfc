import type { CopiedRows } from '../../../platform/database/driver/statements/copy-out.js';
import type { UserResponse } from '../../users/dto/user.response.js';
import { type ByteWriter, writeConstant } from '../encoding/byte.writer.js';
import {
  boolean,
  csvCell,
  type Encode,
  integer,
  jsonText,
  MAX_BYTES_AROUND,
  MAX_BYTES_PER_BYTE,
  quoted,
  time,
  uuid,
  bareText,
  array,
} from '../encoding/encoders.js';
import type { Encoding, RowBatch } from './row-source.types.js';

type Column = Readonly<Record<Encoding, Encode>>;

/** The size of the length field before each value. */
const LENGTH_BYTES = 4;
const ID_BYTES = 16;

const TEXT: Column = { json: jsonText, csv: csvCell };
const TIME: Column = { json: quoted(time), csv: time };

/** The columns in output order. */
const columns: Readonly<Record<keyof UserResponse, Column>> = {
  id: { json: quoted(uuid), csv: uuid },
  email: TEXT,
  name: TEXT,
  locale: { json: quoted(bareText), csv: bareText },
  status: { json: quoted(bareText), csv: bareText },
  roles: {
    json: array('[', quoted(bareText), ',', ']'),
    csv: array('', bareText, ';', ''),
  },
  email_verified: { json: boolean, csv: boolean },
  version: { json: integer, csv: integer },
  last_login_at: TIME,
  created_at: TIME,
  updated_at: TIME,
};

export type UserField = keyof UserResponse;
export const userFields = Object.keys(columns) as UserField[];

/**
 * Converts rows from bytes to bytes without creating an object or string per row. The id is the first column,
 * followed by `fields`.
 */
export class UserBatch implements RowBatch {
  private readonly encoders: readonly Encode[];
  private readonly before: readonly Buffer[];
  private readonly absent: Buffer;
  private readonly end: Buffer;
  private readonly mostAround: number;

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
    this.mostAround = this.before.reduce(
      (sum, { length }) => sum + length + MAX_BYTES_AROUND,
      this.end.length,
    );
  }

  next(): boolean {
    return this.rows.next();
  }

  release(): void {
    this.rows.release();
  }

  id(): string {
    const start = this.rows.start + LENGTH_BYTES;
    const hex = this.rows.bytes.toString('hex', start, start + ID_BYTES);
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
  }

  write(to: ByteWriter): void {
    const { encoders, before, absent } = this;
    const { bytes, start, end } = this.rows;
    const out = to.reserve((end - start) * MAX_BYTES_PER_BYTE + this.mostAround);
    let at = to.length;
    let from = start + LENGTH_BYTES + ID_BYTES;
    for (let i = 0; i < encoders.length; i++) {
      at = writeConstant(out, at, before[i]!);
      const length = bytes.readInt32BE(from);
      from += LENGTH_BYTES;
      if (length < 0) {
        at = writeConstant(out, at, absent);
        continue;
      }
      at = encoders[i]!(out, at, bytes, from, from + length);
      from += length;
    }
    to.length = writeConstant(out, at, this.end);
  }
}
