import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Response } from 'supertest';
import { TestApp } from '../../support/app/test-app.js';
import { nextPage, signUp, signUpMany, SORTS, type UserBody, walk } from '../../support/builders/users.js';

describe('GET /api/users', () => {
  let app: TestApp;
  beforeAll(async () => {
    // One connection, so that a test can control the plans of the next statements.
    app = await TestApp.create({ config: { DB_POOL_MAX: 1 } });
  });
  afterAll(() => app.close());

  const list = (query = ''): Promise<Response> => app.as(app.admin, 'get', `/api/users${query}`);
  const idsOf = (rows: readonly UserBody[]) => rows.map(({ id }) => id);

  describe('a walk over all pages', () => {
    let everybody: UserBody[];
    beforeAll(async () => {
      await signUpMany(
        app,
        40,
        (i) => ['Twin', 'twin', 'ÉMILE', 'émile', 'Zoë'][i % 5] ?? '',
        'walk.example',
      );
      // Forty users who share three creation times, so that pages end inside a group of equal keys.
      await app.database.query(`
        UPDATE users SET created_at = '2026-01-01T00:00:00Z'::timestamptz + (n % 3) * interval '1 millisecond'
        FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM users WHERE email LIKE '%@walk.example') AS numbered
        WHERE users.id = numbered.id`);
      everybody = (await list('?limit=100')).body as UserBody[];
      expect(everybody.length).toBeGreaterThan(40);
      expect(everybody.length).toBeLessThan(100);
    });

    it.each(SORTS.flatMap((sort) => [3, 20].map((limit) => ({ sort, limit }))))(
      'returns every user exactly once: sort=$sort, limit=$limit',
      async ({ sort, limit }) => {
        const rows = await walk(app, `/api/users?sort=${sort}&limit=${limit}`);
        expect(idsOf(rows).toSorted()).toEqual(idsOf(everybody).toSorted());
        // Without a sort order the pages would not be stable either.
        expect(rows.map(sortValue(sort)).join('\n')).toBe(
          sortedBy(sort, rows).map(sortValue(sort)).join('\n'),
        );
      },
    );

    it.each(SORTS)(
      'returns every user exactly once without an index for the order: sort=%s',
      async (sort) => {
        // An index happens to return equal keys in id order. A filter may keep the plan from using it.
        await app.dataSource.query('SET enable_indexscan = off');
        try {
          const rows = await walk(app, `/api/users?sort=${sort}&limit=3`);
          expect(idsOf(rows).toSorted()).toEqual(idsOf(everybody).toSorted());
        } finally {
          await app.dataSource.query('RESET enable_indexscan');
        }
      },
    );

    it.each(['created_at', 'email', 'name'] as const)(
      'by %s, reversed, equals the descending one',
      async (sort) => {
        const up = await walk(app, `/api/users?sort=${sort}&limit=9`);
        const down = await walk(app, `/api/users?sort=-${sort}&limit=11`);
        expect(idsOf(down)).toEqual(idsOf(up).toReversed());
      },
    );

    it('sorts by created_at by default', async () => {
      const byDefault = await walk(app, '/api/users?limit=10');
      expect(idsOf(byDefault)).toEqual(idsOf(await walk(app, '/api/users?limit=10&sort=created_at')));
    });

    it.each(SORTS)('returns each user exactly once during concurrent inserts: sort=%s', async (sort) => {
      const before = idsOf((await list('?limit=100&search=%40walk.example')).body as UserBody[]);
      const rows = await walk(app, `/api/users?sort=${sort}&limit=16`, (page) =>
        Promise.all([
          signUp(app, 'AAA', `0-${sort}-${page}@during.example`),
          signUp(app, 'ZZZ', `z-${sort}-${page}@during.example`),
        ]),
      );
      const seen = idsOf(rows).filter((id) => before.includes(id));
      expect(seen.toSorted()).toEqual(before.toSorted());
      expect(new Set(idsOf(rows)).size).toBe(rows.length);
    });

    it.each(['created_at', '-created_at', 'email', '-email'] as const)(
      'returns each user exactly once while users are renamed, disabled, enabled and deleted: sort=%s',
      async (sort) => {
        const ours = (await list('?limit=100&sort=email&search=%40walk.example')).body as UserBody[];
        const doomed = await signUpMany(app, 4, () => 'Doomed', `x${sort.replace('_', '')}.doomed.example`);
        const rows = await walk(app, `/api/users?sort=${sort}&limit=9`, async (page) => {
          const some = ours.slice(page * 4, page * 4 + 4);
          const change = { name: `Renamed ${page}`, status: page % 2 ? 'disabled' : 'active' };
          await Promise.all(
            some.map(({ id }) => app.as(app.admin, 'patch', `/api/users/${id}`).send(change)),
          );
          const gone = doomed[page - 1];
          if (gone) await app.as(app.admin, 'delete', `/api/users/${gone.id}`);
        });
        const seen = idsOf(rows).filter((id) => idsOf(ours).includes(id));
        expect(seen.toSorted()).toEqual(idsOf(ours).toSorted());
        expect(new Set(idsOf(rows)).size).toBe(rows.length);
      },
    );

    it('continues at the same place when the last row of the page is deleted or renamed', async () => {
      const group = await signUpMany(app, 6, () => 'Last Row', 'lastrow.example');
      const order = idsOf(await walk(app, '/api/users?sort=name&limit=6&search=%40lastrow.example'));
      expect(order).toHaveLength(group.length);
      const first = await list('?sort=name&limit=2&search=%40lastrow.example');
      await app.as(app.admin, 'delete', `/api/users/${order[1]}`);
      const second = await app.as(app.admin, 'get', `${nextPage(first)}`);
      expect(idsOf(second.body as UserBody[])).toEqual(order.slice(2, 4));
      await app.as(app.admin, 'patch', `/api/users/${order[3]}`).send({ name: 'Aaa' });
      const third = await app.as(app.admin, 'get', `${nextPage(second)}`);
      expect(idsOf(third.body as UserBody[])).toEqual(order.slice(4));
    });
  });
});

/** Returns the sort key as far as JavaScript can compute it: the name or address in lower case. */
function sortValue(sort: string): (user: UserBody) => string {
  if (sort.endsWith('created_at')) return (user) => user.created_at;
  const field = sort.endsWith('email') ? 'email' : 'name';
  return (user) => user[field].toLowerCase();
}

function sortedBy(sort: string, rows: readonly UserBody[]): UserBody[] {
  const value = sortValue(sort);
  const direction = sort.startsWith('-') ? -1 : 1;
  return rows.toSorted((a, b) => direction * Buffer.compare(Buffer.from(value(a)), Buffer.from(value(b))));
}
