import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { foldCase } from '../../../src/common/text.js';
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
