import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { damaged } from '../../../test/support/faults/damage.js';
import { AppError } from '../../common/errors/app.error.js';
import { CSV, ImportReader, type ImportType, JSON_ARRAY, NDJSON } from './import.reader.js';
import { type ReadRow, readImportRow } from './import-row.reader.js';

const USER = {
  email: 'ada@example.com',
  name: 'Ada, "L"',
  email_verified: true,
  status: 'active',
  roles: ['user'],
};
const JSON_LINE = JSON.stringify(USER);
const HEADER = 'email,name,email_verified,status,roles';
const CSV_LINE = 'ada@example.com,"Ada, ""L""",true,active,user';

function rowsOfType(type: ImportType, body: string | Buffer): ReadRow[] {
  const reader = new ImportReader(type);
  const lines = [...reader.push(Buffer.from(body), true)];
  return lines.map((line) => readImportRow(reader.form, line));
}

const rowsOf = (body: string, isCsv: boolean): ReadRow[] => rowsOfType(isCsv ? CSV : NDJSON, body);

/** Returns null for a body that is refused as a whole. Rethrows every other error. */
function rowsOrRefusal(body: string, isCsv: boolean): ReadRow[] | null {
  try {
    return rowsOf(body, isCsv);
  } catch (error) {
    if (error instanceof AppError && error.code === 'VALIDATION_ERROR') return null;
    throw error;
  }
}

describe('a damaged line of an import', () => {
  it('fails in NDJSON or yields exactly what JSON.parse reads', () => {
    fc.assert(
      fc.property(damaged(JSON_LINE, 3), (line) => {
        for (const { row } of rowsOf(line, false)) {
          if (typeof row === 'string') continue;
          const given = JSON.parse(line) as typeof USER;
          expect([row.email, row.name]).toEqual([given.email.trim(), given.name?.trim() || null]);
          expect(row.emailVerified).toBe(given.email_verified ?? null);
          expect(row.roles).toEqual(given.roles ?? null);
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('fails in CSV or yields the text of its fields, and leaves the lines around it intact', () => {
    fc.assert(
      fc.property(damaged(CSV_LINE, 3), (line) => {
        const rows = rowsOf(`${HEADER}\n${CSV_LINE}\n${line}\n`, true);
        const [first, second] = rows.map(({ row }) => row);
        expect(first).toMatchObject({ email: USER.email, name: USER.name });
        if (second === undefined || typeof second === 'string') return;
        const text = line.replaceAll('""', '"');
        expect(text).toContain(second.email);
        if (second.name !== null) expect(text).toContain(second.name);
      }),
      { numRuns: 1000 },
    );
  });

  it('refuses the whole body when a CSV header is damaged', () => {
    fc.assert(
      fc.property(damaged(HEADER, 2), (header) => {
        const rows = rowsOrRefusal(`${header}\n${CSV_LINE}\n`, true);
        const columns = header.split(/[,;\t]/).map((column) => column.trim().toLowerCase());
        if (rows !== null && !header.includes('"')) expect(columns).toContain('email');
      }),
      { numRuns: 500 },
    );
  });
});

const user = (row: object | string | undefined) => {
  if (typeof row !== 'object') throw new Error(`not a user: ${row}`);
  return row as Exclude<ReadRow['row'], string>;
};
const readAs = (type: ImportType, body: string | Buffer) => rowsOfType(type, body).map(({ row }) => row);

describe('an import of a file as other programs write it', () => {
  const texts = fc
    .string({
      unit: fc.constantFrom('a', ' ', ',', ';', '\t', '"', "'", '\n', 'é'),
      minLength: 1,
      maxLength: 8,
    })
    .map((text) => `x${text}x`);
  const headers = fc.tuple(
    fc.shuffledSubarray(['email', 'name', 'roles'], { minLength: 3 }),
    fc.func(fc.boolean()),
  );
  const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`;

  it('recognizes the delimiter from the header, whatever the fields contain', () => {
    fc.assert(
      fc.property(
        headers,
        fc.constantFrom(',', ';', '\t'),
        fc.boolean(),
        texts,
        ([columns, isUpper], delimiter, isQuoted, text) => {
          const name = text.replaceAll(/[\n\t]/g, ' ');
          const values: Record<string, string> = {
            email: 'ada@example.com',
            name: quoted(name),
            roles: '"user;premium"',
          };
          const header = columns.map((column) => (isUpper(column) ? column.toUpperCase() : column));
          const lines = [
            header.map((column) => (isQuoted ? quoted(column) : column)).join(delimiter),
            columns.map((column) => values[column]).join(delimiter),
          ];
          const [row] = readAs(CSV, lines.join('\r\n'));
          expect(user(row)).toMatchObject({
            email: 'ada@example.com',
            name: name.trim(),
            roles: ['premium', 'user'],
          });
        },
      ),
    );
  });

  it.each([',', ';', '\t'])('keeps quoted line breaks in one field after the delimiter %j', (delimiter) => {
    const lines = [
      ['email', 'name'],
      ['a@b.example', '"two\nlines ""quoted"""'],
      ['c@d.example', 'Ada'],
    ];
    const rows = rowsOfType(CSV, lines.map((fields) => fields.join(delimiter)).join('\n'));
    expect(rows.map(({ line }) => line)).toEqual([2, 4]);
    expect(rows[0]?.row).toBe('name must not contain control characters');
    expect(rows[1]?.row).toMatchObject({ email: 'c@d.example', name: 'Ada' });
  });

  it('reads the same rows from every encoding and format', () => {
    fc.assert(
      fc.property(fc.array(texts, { minLength: 1, maxLength: 4 }), (names) => {
        const rows = names.map((name, n) => ({
          email: `p${n}@example.com`,
          name: name.replaceAll(/[\n\t]/g, ' '),
        }));
        const csv = ['email,name', ...rows.map(({ email, name }) => `${email},${quoted(name)}`)].join('\n');
        const lines = rows.map((row) => JSON.stringify(row)).join('\n');
        const expected = readAs(CSV, csv);
        const utf16 = (text: string) => Buffer.from(`\ufeff${text}`, 'utf16le');
        expect(expected.every((row) => typeof row === 'object')).toBe(true);
        expect(readAs(CSV, utf16(csv))).toEqual(expected);
        expect(readAs(CSV, utf16(csv).swap16())).toEqual(expected);
        expect(readAs(NDJSON, utf16(lines))).toEqual(expected);
        expect(readAs(JSON_ARRAY, JSON.stringify(rows, null, 2))).toEqual(expected);
        expect(readAs(JSON_ARRAY, utf16(JSON.stringify(rows)))).toEqual(expected);
      }),
    );
  });

  it('names the encoding of a row that is not valid', () => {
    const utf16 = (text: string) => Buffer.from(`\ufeff${text}`, 'utf16le');
    const broken = 'a\ud800@b.example';
    const row = JSON.stringify({ email: 'x' }).replace('x', broken);
    const good = '{"email":"a@b.example"}';
    for (const bytes of [utf16(`${row}\n${good}`), utf16(`${row}\n${good}`).swap16()])
      expect(readAs(NDJSON, bytes)).toMatchObject(['must be valid UTF-16', { email: 'a@b.example' }]);
    expect(readAs(CSV, utf16(`email\n${broken}`))).toEqual(['must be valid UTF-16']);
    expect(readAs(JSON_ARRAY, utf16(`[${row}]`))).toEqual(['must be valid UTF-16']);
    expect(readAs(NDJSON, utf16(good).subarray(0, -1))).toEqual(['must be valid UTF-16']);
    const latin1 = (text: string) => Buffer.from(text, 'latin1');
    expect(readAs(NDJSON, latin1('{"email":"\xff@b.example"}'))).toEqual(['must be valid UTF-8']);
    expect(readAs(CSV, latin1('email\n\xff@b.example'))).toEqual(['must be valid UTF-8']);
  });

  it.each(['true', 't', '1', 'yes', 'TRUE', 'T', 'Yes'])('reads %s as true', (text) => {
    expect(readAs(CSV, `email,email_verified\na@b.example,${text}`)).toMatchObject([{ emailVerified: true }]);
    expect(readAs(NDJSON, JSON.stringify({ email: 'a@b.example', email_verified: text }))).toMatchObject([
      { emailVerified: true },
    ]);
  });

  it.each(['false', 'f', '0', 'no', 'NO'])('reads %j as false', (text) => {
    expect(readAs(CSV, `email,email_verified\na@b.example,${text}`)).toMatchObject([
      { emailVerified: false },
    ]);
  });

  it('reads the numbers 1 and 0 as booleans, and refuses other values', () => {
    const verified = (value: unknown) =>
      readAs(NDJSON, JSON.stringify({ email: 'a@b.example', email_verified: value }))[0];
    expect([verified(1), verified(0)]).toMatchObject([{ emailVerified: true }, { emailVerified: false }]);
    for (const value of [2, 'maybe', {}, ['true']])
      expect(verified(value)).toBe('email_verified must be true or false');
  });

  it('treats null and empty values as absent', () => {
    const absent = {
      name: null,
      password_hash: '',
      email_verified: null,
      status: '',
      roles: null,
      created_at: null,
    };
    const expected = {
      email: 'ada.l+x@example.com',
      name: null,
      passwordHash: null,
      emailVerified: null,
      disabled: null,
      roles: null,
      createdAt: null,
    };
    expect(readAs(NDJSON, JSON.stringify({ email: expected.email, ...absent }))).toMatchObject([expected]);
    expect(readAs(CSV, `Email\n${expected.email}`)).toMatchObject([expected]);
    const columns = 'email,name,password_hash,email_verified,status,roles,created_at';
    expect(readAs(CSV, `${columns}\n${expected.email},,NULL,null,null,null,null`)).toMatchObject([expected]);
  });

  it('keeps the name Null', () => {
    expect(readAs(CSV, 'email,name\na@b.example,Null')).toMatchObject([{ name: 'Null' }]);
  });

  it('ignores the last line of an export, and rejects a row with other properties beside its own', () => {
    expect(readAs(NDJSON, '{"_complete":{"count":1,"sha256":"00"}}\n')).toEqual([]);
    const unknown = expect.stringMatching(
      /^_complete is no property of an import; it may contain only email,/,
    );
    for (const line of [
      '{"_complete":true,"email":"a@b.example"}',
      '{"email":"a@b.example","_complete":true}',
    ])
      expect(readAs(NDJSON, line)).toEqual([unknown]);
    for (const line of ['{"_complete":true', '{"_complete":true} {"email":"a@b.example"}'])
      expect(readAs(NDJSON, line)).toEqual(['must be valid JSON']);
  });

  it.each([['premium'], ['premium;user'], ['user, premium'], ['user|premium']])(
    'reads the roles %j',
    (roles) => {
      const expected = roles
        .split(/[;,|]/)
        .map((role) => role.trim())
        .toSorted();
      expect(readAs(NDJSON, JSON.stringify({ email: 'a@b.example', roles }))).toMatchObject([
        { roles: expected },
      ]);
      expect(readAs(CSV, `email;roles\na@b.example;"${roles}"`)).toMatchObject([{ roles: expected }]);
    },
  );
});
