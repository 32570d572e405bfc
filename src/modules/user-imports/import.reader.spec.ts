import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { damaged } from '../../../test/support/faults/damage.js';
import { AppError } from '../../common/errors/app.error.js';
import { ImportReader, type NumberedRow } from './import.reader.js';

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

const rowsOf = (body: string, isCsv: boolean): NumberedRow[] => [
  ...new ImportReader(isCsv).push(Buffer.from(body), true),
];

/** Returns null for a body that is refused as a whole. Rethrows every other error. */
function rowsOrRefusal(body: string, isCsv: boolean): NumberedRow[] | null {
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
          expect([row.email, row.name]).toEqual([given.email.trim(), given.name.trim()]);
          expect(row.emailVerified).toBe(given.email_verified ?? false);
          expect(row.roles).toEqual(given.roles ?? ['user']);
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
        expect(text).toContain(second.name);
      }),
      { numRuns: 1000 },
    );
  });

  it('refuses the whole body when a CSV header is damaged', () => {
    fc.assert(
      fc.property(damaged(HEADER, 2), (header) => {
        const rows = rowsOrRefusal(`${header}\n${CSV_LINE}\n`, true);
        const columns = header.split(',').map((column) => column.trim());
        if (rows !== null && !header.includes('"'))
          expect(columns).toEqual(expect.arrayContaining(['email', 'name']));
      }),
      { numRuns: 500 },
    );
  });
});
