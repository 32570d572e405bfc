import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { foldCase, foldSearch, foldTurkishI } from '../../../src/common/text.js';
import { TestApp } from '../../support/app/test-app.js';

interface Row {
  readonly id: string;
  readonly created_at: Date;
  readonly email_key: string;
  readonly name_key: string;
  readonly search_key: string;
  readonly status: string;
  readonly roles: readonly string[];
}

type Filters = Readonly<Record<string, string>>;

interface SelectFilters {
  readonly search?: string;
  readonly status?: string | null;
  readonly role?: string | null;
}

const USERS = '12000';
const SORTS = ['created_at', '-created_at', 'email', '-email', 'name', '-name'];

/** Frequent, rare and absent terms, with, without and beyond trigrams, early and late in name order. */
const FILTERS: Filters[] = [
  { search: 'Example' },
  { search: 'GARCIA' },
  { search: 'zuzana' },
  { search: 'anna kowalski' },
  { search: 'nobody-is-called-so' },
  { search: 'a' },
  { search: 'ñ' },
  { search: 'ΓΙΏΡΓΟΣ' },
  { search: '山' },
  { search: 'qx' },
  { search: '’b' },
  { search: 'é.' },
  { search: '---' },
  { search: '_%' },
  { search: '\\' },
  { status: 'active' },
  { status: 'disabled', search: 'an' },
  { status: 'deleted', search: 'martin' },
  { role: 'premium' },
  { role: 'auditor' },
  { role: 'user', search: 'li' },
  { role: 'premium', status: 'disabled' },
  { role: 'auditor', search: 'e' },
];

describe('GET /api/users over many users', () => {
  let app: TestApp;
  let rows: readonly Row[];
  beforeAll(async () => {
    app = await TestApp.create();
    await promisify(execFile)(process.execPath, ['scripts/seed.mjs', '--accounts', USERS], {
      env: { PATH: process.env['PATH'], ...app.database.addresses },
    });
    rows = await app.database.query<Row>('SELECT * FROM users');
  });
  afterAll(() => app.close());

  it.each(FILTERS)('pages through the matches of %o in every order', async (filters) => {
    for (const sort of SORTS) {
      const expected = sorted(rows.filter(passes(filters)), sort).map(({ id }) => id);
      const { ids, whole } = await walk({ ...filters, sort, limit: '100' }, 4);
      expect(ids).toEqual(expected.slice(0, ids.length));
      expect(whole ? ids.length : expected.length).toBe(
        whole ? expected.length : Math.max(expected.length, 401),
      );
    }
  });

  it.each(['example', 'zuzana', 'qx'])('skips an offset in the search for %s', async (search) => {
    const expected = sorted(rows.filter(passes({ search })), 'name').map(({ id }) => id);
    const answer = await read({ search, sort: 'name', offset: '25', limit: '10' });
    expect((answer.body as Row[]).map(({ id }) => id)).toEqual(expected.slice(25, 35));
  });

  it('returns total=estimate for few, many and all users', async () => {
    for (const filters of [{ search: 'qx' }, { search: 'zuzana' }, { search: 'example' }, {}] as Filters[]) {
      const exact = rows.filter(passes(filters)).length;
      const answer = await read({ ...filters, total: 'estimate' });
      const estimate = Number(answer.headers['x-total-estimate']);
      expect(Math.abs(estimate - exact)).toBeLessThanOrEqual(exact * 0.2);
    }
  });

  it('returns what a plain SELECT returns, for any filters', async () => {
    const row = fc.nat(rows.length - 1).map((place) => rows[place]!.search_key.split('\n'));
    const part = fc
      .tuple(row, fc.nat(1), fc.nat(30), fc.integer({ min: 1, max: 16 }))
      .map(([lines, line, from, length]) => Array.from(lines[line] ?? '').slice(from, from + length))
      .map((characters) => characters.join(''));
    const word = row.map(([name = '']) => name.split(' ').at(-1) ?? '');
    const search = fc
      .oneof(
        part,
        word,
        fc.tuple(part, word).map(([one, other]) => `${one} ${other}`),
      )
      .map((text) => text.trim())
      .filter((text) => text !== '');
    const filters = fc.record(
      {
        search,
        status: fc.constantFrom('active', 'disabled', 'deleted'),
        role: fc.constantFrom('user', 'premium', 'auditor', 'admin', 'nobody'),
      },
      { requiredKeys: [] },
    );
    const places = fc.tuple(fc.nat(60), fc.integer({ min: 1, max: 100 }));
    await fc.assert(
      fc.asyncProperty(filters, fc.constantFrom(...SORTS), places, async (filter, sort, [offset, limit]) => {
        const expected = await select(filter, sort);
        const page = await read({ ...filter, sort, limit: `${limit}`, offset: `${offset}`, total: 'exact' });
        expect(idsOf(page)).toEqual(expected.slice(offset, offset + limit));
        expect(page.headers['x-total-count']).toBe(String(expected.length));
        const cursor = /cursor=([^&>]+)/.exec(page.headers['link'] ?? '')?.[1];
        expect(cursor !== undefined).toBe(expected.length > offset + limit);
        const next = await read({
          ...filter,
          sort,
          limit: `${limit}`,
          total: 'estimate',
          ...(cursor !== undefined && { cursor }),
        });
        const from = cursor === undefined ? 0 : offset + limit;
        expect(idsOf(next)).toEqual(expected.slice(from, from + limit));
        if (expected.length <= 1000) expect(next.headers['x-total-estimate']).toBe(String(expected.length));
      }),
      { numRuns: 50 },
    );
  });

  const idsOf = ({ body }: { body: unknown }) => (body as Row[]).map(({ id }) => id);

  /** Finds the ids without any index of the list. */
  async function select({ search = '', status = null, role = null }: SelectFilters, sort: string) {
    const column = sort.replace('-', '').replace(/^(email|name)$/, '$1_key');
    const direction = sort.startsWith('-') ? 'DESC' : 'ASC';
    const found = await app.database.query<Row>(
      `SELECT id FROM users
       WHERE EXISTS (SELECT FROM unnest($1::text[]) AS term
                     WHERE strpos(search_key, term) > 0 OR strpos(search_fold(search_key), term) > 0)
         AND erased_at IS NULL AND ($2::text IS NULL OR $2 = ANY (roles))
         AND CASE WHEN $3::text IS NULL THEN status <> 'deleted' ELSE status = $3 END
       ORDER BY ${column} ${direction}, id ${direction}`,
      [[...new Set([foldSearch(search), foldTurkishI(foldCase(search))])], role, status],
    );
    return found.map(({ id }) => id);
  }

  const read = (query: Filters) =>
    app.as(app.admin, 'get', `/api/users?${new URLSearchParams(query).toString()}`).expect(200);

  async function walk(query: Filters, pages: number): Promise<{ ids: string[]; whole: boolean }> {
    const ids: string[] = [];
    let cursor: Filters = {};
    for (let page = 0; page < pages; page++) {
      const answer = await read({ ...query, ...cursor });
      ids.push(...(answer.body as Row[]).map(({ id }) => id));
      const next = /cursor=([^&>]+)/.exec(answer.headers['link'] ?? '')?.[1];
      if (next === undefined) return { ids, whole: true };
      cursor = { cursor: next };
    }
    return { ids, whole: false };
  }
});

const passes =
  ({ search = '', status, role }: Filters) =>
  (row: Row): boolean =>
    row.search_key.includes(foldCase(search)) &&
    (status === undefined ? row.status !== 'deleted' : row.status === status) &&
    (role === undefined || row.roles.includes(role));

function sorted(rows: readonly Row[], sort: string): Row[] {
  const key = (row: Row): Buffer => {
    if (sort.endsWith('email')) return Buffer.from(row.email_key);
    if (sort.endsWith('name')) return Buffer.from(row.name_key);
    return Buffer.from(row.created_at.toISOString());
  };
  const keyed = rows.map((row) => ({ row, key: key(row), id: Buffer.from(row.id) }));
  const ascending = keyed.toSorted((a, b) => a.key.compare(b.key) || a.id.compare(b.id));
  return (sort.startsWith('-') ? ascending.toReversed() : ascending).map(({ row }) => row);
}
