import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { findCanonicalEmail } from '../../../src/common/email-address.js';
import { nameFault } from '../../../src/common/validation/text.decorators.js';
import { csvText } from '../../../src/modules/export/encoding/csv.js';
import {
  csvCell,
  MAX_BYTES_AROUND,
  MAX_BYTES_PER_BYTE,
} from '../../../src/modules/export/encoding/encoders.js';
import { csvHeader } from '../../../src/modules/export/encoding/formats.js';
import { userFields } from '../../../src/modules/export/sources/user-columns.js';
import {
  CSV,
  ImportReader,
  type ImportType,
  NDJSON,
} from '../../../src/modules/user-imports/import.reader.js';
import { readImportRow } from '../../../src/modules/user-imports/import-row.reader.js';

/** Text of which spreadsheets, CSV and JSON make something, and any other text. */
const text = fc.oneof(
  fc.string({ unit: fc.constantFrom(`'`, '"', '=', '+', '-', '@', ',', ';', ' ', 'a', '\\'), maxLength: 12 }),
  fc.string({ unit: 'binary', maxLength: 20 }),
);
/** Names as the service stores them. */
const names = text
  .map((value) => value.trim())
  .filter((name) => name.isWellFormed() && nameFault(name) === null);
const addresses = fc
  .string({ unit: fc.constantFrom(`'`, '+', '-', '=', 'a', 'Z', '1', 'é', '{'), minLength: 1, maxLength: 12 })
  .map((local) => `${local}@example.com`)
  .filter((address) => findCanonicalEmail(address) !== null);
const users = fc.array(fc.record({ email: addresses, name: names }), { minLength: 1, maxLength: 5 });

const ID = '0192f1c4-8a4e-7c31-9d52-3f6f0c2b7a10';
const TIME = '2020-01-02T03:04:05.678Z';
const exported = ({ email, name }: { email: string; name: string }) => ({
  id: ID,
  email,
  name,
  locale: 'de',
  status: 'disabled',
  roles: ['premium', 'user'],
  email_verified: true,
  version: 7,
  last_login_at: null,
  created_at: TIME,
  updated_at: TIME,
});

/** Encodes a cell as the export does, from the bytes that PostgreSQL sends. */
function cellOf(value: string): string {
  const source = Buffer.from(value);
  const out = Buffer.alloc(source.length * MAX_BYTES_PER_BYTE + MAX_BYTES_AROUND);
  return out.toString('utf8', 0, csvCell(out, 0, source, 0, source.length));
}

const csvOf = (user: ReturnType<typeof exported>): string =>
  Object.values(user)
    .map((value) => cellOf(Array.isArray(value) ? value.join(';') : String(value ?? '')))
    .join(',');

function read(body: string, type: ImportType) {
  const reader = new ImportReader(type);
  const lines = [...reader.push(Buffer.from(body), true)];
  return lines.map((line) => readImportRow(reader.form, line).row);
}

const expected = (given: readonly { email: string; name: string }[]) =>
  given.map(({ email, name }) =>
    expect.objectContaining({
      email,
      name,
      locale: 'de',
      disabled: true,
      roles: ['premium', 'user'],
      emailVerified: true,
      createdAt: TIME,
    }),
  );

describe('an export of users', () => {
  it('is read by an import as CSV, with every name and address unchanged', () => {
    fc.assert(
      fc.property(users, (given) => {
        const lines = given.map((user) => `${csvOf(exported(user))}\r\n`);
        expect(read(csvHeader(userFields) + lines.join(''), CSV)).toEqual(expected(given));
      }),
    );
  });

  it('is read by an import as NDJSON, without its last line', () => {
    fc.assert(
      fc.property(users, (given) => {
        const lines = given.map((user) => `${JSON.stringify(exported(user))}\n`);
        const end = `${JSON.stringify({ _complete: { count: given.length, sha256: '0'.repeat(64) } })}\n`;
        expect(read(lines.join('') + end, NDJSON)).toEqual(expected(given));
      }),
    );
  });

  it('encodes bytes as it encodes text', () => {
    fc.assert(
      fc.property(
        text.filter((value) => value.isWellFormed()),
        (value) => expect(cellOf(value)).toBe(csvText(value)),
      ),
    );
  });
});
