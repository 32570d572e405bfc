import type { UserResponse } from '../users/dto/user.response.js';
import { csvText } from './csv.js';
import type { EncodedRow, Encoding } from './row-source.js';

/** Takes what PostgreSQL writes of a value, which is never empty or null. */
type Encode = (value: string) => string;

/** Only these need escapes in JSON. */
const ESCAPED = /["\\\p{Cc}]/u;
const jsonText: Encode = (value) => (ESCAPED.test(value) ? JSON.stringify(value) : `"${value}"`);
const quoted: Encode = (value) => `"${value}"`;
const plain: Encode = (value) => value;
const boolean: Encode = (value) => (value === 't' ? 'true' : 'false');
/** Names of roles hold nothing that an array would quote. */
const roleList: Encode = (value) =>
  value === '{}' ? '[]' : `["${value.slice(1, -1).replaceAll(',', '","')}"]`;
const roleWords: Encode = (value) => value.slice(1, -1).replaceAll(',', ';');

/** `2026-01-01 12:00:00.5+00`, or in the zone that the database was set to. */
function time(value: string): string {
  if (!value.endsWith('+00')) return new Date(value).toISOString();
  return `${value.slice(0, 10)}T${value.slice(11, 19)}.${value.slice(20, -3).padEnd(3, '0')}Z`;
}

interface Column {
  readonly json: Encode;
  readonly csv: Encode;
}

const TIME: Column = { json: (value) => `"${time(value)}"`, csv: time };
const TEXT: Column = { json: jsonText, csv: csvText };
const WORD: Column = { json: quoted, csv: plain };

/** In the order in which they travel. */
const columns: Readonly<Record<keyof UserResponse, Column>> = {
  id: WORD,
  email: TEXT,
  name: TEXT,
  status: WORD,
  roles: { json: roleList, csv: roleWords },
  email_verified: { json: boolean, csv: boolean },
  version: { json: plain, csv: plain },
  last_login_at: TIME,
  created_at: TIME,
  updated_at: TIME,
};

export const userFields = Object.keys(columns) as (keyof UserResponse)[];

/** By hand: for each row it takes a fraction of what an object and JSON.stringify would. */
export function* encodeUsers(
  rows: Iterable<readonly (string | null)[]>,
  fields: readonly (keyof UserResponse)[],
  encoding: Encoding,
): Generator<EncodedRow> {
  const encoders = fields.map((field) => columns[field][encoding]);
  const before = fields.map((field, i) =>
    encoding === 'csv' ? (i === 0 ? '' : ',') : `${i === 0 ? '{' : ','}"${field}":`,
  );
  const absent = encoding === 'csv' ? '' : 'null';
  const end = encoding === 'csv' ? '' : '}';
  for (const values of rows) {
    let text = '';
    for (let i = 0; i < encoders.length; i++) {
      const value = values[i + 1] ?? null;
      text +=
        before[i]! + (value === null ? absent : value === '' ? emptyText(encoding) : encoders[i]!(value));
    }
    yield { id: values[0]!, text: text + end };
  }
}

const emptyText = (encoding: Encoding): string => (encoding === 'csv' ? '' : '""');
