import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { Response } from 'supertest';
import { type Account, PASSWORD, TestApp } from '../../support/test-app.js';
import { accountWith, nextPage, type UserBody, walk } from '../../support/users.js';

const SORTS = ['created_at', '-created_at', 'email', '-email', 'name', '-name'] as const;

describe('GET /api/users', () => {
  let app: TestApp;
  let auditor: Account;
  beforeAll(async () => {
    // One connection, so that a test can choose how the next statements are planned.
    app = await TestApp.create({ config: { DB_POOL_MAX: 1 } });
    auditor = await app.account(['auditor']);
  });
  afterAll(() => app.close());

  const list = (query = '', caller = app.admin): Promise<Response> =>
    app.as(caller, 'get', `/api/users${query}`);
  const idsOf = (rows: readonly UserBody[]) => rows.map(({ id }) => id);
  const emailsOf = (answer: Response) => (answer.body as UserBody[]).map(({ email }) => email).toSorted();

  async function signUp(name: string, email: string): Promise<UserBody> {
    const answer = await app.request('post', '/api/users').send({ name, email, password: PASSWORD });
    if (answer.status !== 201) throw new Error(`sign-up answered ${answer.status}: ${answer.text}`);
    return answer.body as UserBody;
  }

  async function signUpMany(count: number, name: (i: number) => string, domain: string): Promise<UserBody[]> {
    const several = Array.from({ length: count }, (_, i) => signUp(name(i), `row-${i}@${domain}`));
    return Promise.all(several);
  }

  describe('who may', () => {
    it('is holders of users:read alone', async () => {
      expect((await app.request('get', '/api/users')).status).toBe(401);
      expect((await list('', await app.account())).status).toBe(403);
      const allButReading = await accountWith(app, ['users:write', 'users:delete', 'roles:grant']);
      expect((await list('', allButReading)).status).toBe(403);
      expect((await list('', auditor)).status).toBe(200);
    });
  });

  describe('a page', () => {
    // Newcomers of other tests do not match.
    const ours = '&search=%40pages.example';
    beforeAll(async () => {
      await signUpMany(25, (i) => `Page ${i}`, 'pages.example');
    });

    it('is a bare array of whole accounts, not to be stored by caches', async () => {
      const answer = await list(`?limit=1${ours}`);
      expect(answer.get('Cache-Control')).toBe('no-store');
      expect(answer.body).toHaveLength(1);
      const [user] = answer.body as UserBody[];
      expect((await app.as(app.admin, 'get', `/api/users/${user?.id}`)).body).toEqual(user);
    });

    it('has 20 rows by default and the number asked for otherwise', async () => {
      expect((await list(`?sort=name${ours}`)).body).toHaveLength(20);
      for (const limit of [1, 24, 25, 100]) {
        expect((await list(`?limit=${limit}${ours}`)).body).toHaveLength(Math.min(limit, 25));
      }
    });

    it.each([
      'limit=0',
      'limit=101',
      'limit=-1',
      'limit=1.5',
      'limit=1e1',
      'limit=0x10',
      'limit=',
      'limit=%20',
    ])('is not served for %s', async (query) => {
      const answer = await list(`?${query}`);
      expect(answer.status).toBe(400);
      expect(answer.body).toMatchObject({
        error: { code: 'VALIDATION_ERROR', details: [{ field: 'limit' }] },
      });
    });

    it.each([
      'sort=id',
      'sort=password_hash',
      'sort=created_at,email',
      'sort=',
      'status=gone',
      'role=',
      'total=yes',
    ])('is not served for %s', async (query) => {
      expect((await list(`?${query}`)).body).toMatchObject({
        error: { code: 'VALIDATION_ERROR', details: [{ field: query.split('=')[0] }] },
      });
    });

    it.each([
      ['unknown', 'page=2', 'page'],
      ['given twice', 'limit=5&limit=5', 'limit'],
      ['given twice, once encoded', 'limit=5&l%69mit=6', 'limit'],
      ['an array by its spelling', 'limit[]=5', 'limit[]'],
    ])('is not served with a parameter that is %s', async (_, query, field) => {
      const answer = await list(`?${query}`);
      expect(answer.status).toBe(400);
      expect(answer.body).toMatchObject({ error: { code: 'VALIDATION_ERROR', details: [{ field }] } });
    });

    it('leads on with Link, and the last one does not', async () => {
      const first = await list(`?limit=20${ours}`);
      expect(first.get('Link')).toMatch(/^<\/api\/users\?[^>]*cursor=[\w-]+[^>]*>; rel="next"$/);
      const second = await list((nextPage(first) ?? '').replace('/api/users', ''));
      expect(second.body).toHaveLength(5);
      expect(second.get('Link')).toBeUndefined();
    });

    it('is the last one without a Link when it is exactly full', async () => {
      const answer = await list(`?limit=25${ours}`);
      expect(answer.body).toHaveLength(25);
      expect(answer.get('Link')).toBeUndefined();
      expect((await list('?search=nobody-has-this')).get('Link')).toBeUndefined();
    });

    it('keeps limit, filters and sort in its Link, whatever the spelling', async () => {
      const special = await signUpMany(3, () => 'Who?&= +%41 é', 'special.example');
      for (const search of ['Who?&', 'who%3F%26%3D', 'WHO?%26=+%2B%2541', '%C3%A9']) {
        const rows = await walk(app, `/api/users?search=${search}&limit=1&sort=-email&total=exact&role=user`);
        expect(idsOf(rows)).toEqual(idsOf(special).toReversed());
      }
    });

    it('passes over so many rows with offset, and leads on from there', async () => {
      const all = idsOf((await list(`?limit=25&sort=email${ours}`)).body as UserBody[]);
      const page = await list(`?limit=3&offset=20&sort=email${ours}`);
      expect(idsOf(page.body as UserBody[])).toEqual(all.slice(20, 23));
      const rest = await list((nextPage(page) ?? '').replace('/api/users', ''));
      expect(idsOf(rest.body as UserBody[])).toEqual(all.slice(23));
      expect((await list(`?offset=25${ours}`)).body).toEqual([]);
      expect((await list(`?offset=10000${ours}`)).body).toEqual([]);
    });

    it('is not served past offset 10,000, and the refusal points to the cursor', async () => {
      for (const offset of ['10001', '99999999999999999999', '-1']) {
        const answer = await list(`?offset=${offset}`);
        expect(answer.status).toBe(400);
        expect(answer.body).toMatchObject({
          error: { code: 'VALIDATION_ERROR', message: expect.stringMatching(/cursor.*Link/) },
        });
      }
    });

    it('tells the exact total of the filter, on every page, only when asked', async () => {
      const plain = await list(`?limit=5${ours}`);
      expect(plain.headers).not.toHaveProperty('x-total-count');
      expect(plain.headers).not.toHaveProperty('x-total-estimate');
      const first = await list(`?limit=5&total=exact${ours}`);
      const second = await list((nextPage(first) ?? '').replace('/api/users', ''));
      for (const page of [first, second, await list(`?offset=24&total=exact${ours}`)]) {
        expect(page.get('X-Total-Count')).toBe('25');
        expect(page.headers).not.toHaveProperty('x-total-estimate');
      }
    });

    it('tells an estimate, right where there is little to count', async () => {
      const answer = await list(`?limit=5&total=estimate${ours}`);
      expect(answer.get('X-Total-Estimate')).toBe('25');
      expect(answer.headers).not.toHaveProperty('x-total-count');
    });
  });

  describe('a cursor', () => {
    let cursor: string;
    const cursorOf = (answer: Response) =>
      new URL(nextPage(answer) ?? '', 'http://list').searchParams.get('cursor') ?? '';
    beforeAll(async () => {
      cursor = cursorOf(await list('?limit=1'));
    });

    const expectRefusal = async (query: string) => {
      const answer = await list(query);
      expect([query, answer.status]).toEqual([query, 400]);
      expect(answer.body).toMatchObject({
        error: { code: 'VALIDATION_ERROR', details: [{ field: 'cursor' }] },
      });
    };

    it('holds for another limit and a total too, and for its sort by name', async () => {
      for (const query of ['limit=2', 'limit=1&total=exact', 'limit=3&sort=created_at']) {
        expect((await list(`?${query}&cursor=${cursor}`)).status).toBe(200);
      }
    });

    it('is refused together with offset', () => expectRefusal(`?cursor=${cursor}&offset=0`));

    it.each(['search=a', 'role=user', 'status=active', 'sort=-created_at', 'sort=email', 'sort=name'])(
      'is refused with %s when it was made without',
      (query) => expectRefusal(`?cursor=${cursor}&${query}`),
    );

    it('is refused without the filter that it was made for, and by another list', async () => {
      const filtered = cursorOf(await list('?limit=1&role=user'));
      await expectRefusal(`?cursor=${filtered}`);
      await expectRefusal(`?cursor=${filtered}&role=admin`);
      const roles = cursorOf(await app.as(app.admin, 'get', '/api/roles?limit=1'));
      await expectRefusal(`?cursor=${roles}`);
      const answer = await app.as(app.admin, 'get', `/api/roles?cursor=${cursor}`);
      expect(answer.status).toBe(400);
    });

    it('is refused in each place where one character of it was changed, and cut or lengthened anywhere', async () => {
      for (let i = 0; i < cursor.length; i++) {
        const other = cursor[i] === 'A' ? 'B' : 'A';
        await expectRefusal(`?cursor=${cursor.slice(0, i)}${other}${cursor.slice(i + 1)}`);
      }
      for (const length of [1, 10, cursor.length - 1])
        await expectRefusal(`?cursor=${cursor.slice(0, length)}`);
      for (const more of ['A', 'AAAA', '!', '%3D', '%20']) await expectRefusal(`?cursor=${cursor}${more}`);
    });

    it.each(SORTS)('of sort=%s is refused when another value was put into it', async (sort) => {
      const made = cursorOf(await list(`?limit=1&sort=${sort}`));
      const parts = JSON.parse(Buffer.from(made, 'base64url').toString()) as unknown[];
      const values = [
        '',
        'x',
        '1',
        'foo 1',
        '2026',
        '0000-01-01T00:00:00.000Z',
        '\u0000',
        '\ud800',
        7,
        null,
        [],
      ];
      for (const at of parts.keys()) {
        for (const value of values) {
          const edited = JSON.stringify(parts.with(at, value));
          await expectRefusal(`?limit=1&sort=${sort}&cursor=${Buffer.from(edited).toString('base64url')}`);
        }
      }
    });

    it('is refused when it never was one', async () => {
      const nonsense = ['', 'x', 'null', 'W10', 'e30', '[]', '%F0%9F%98%80', 'A'.repeat(4097)];
      for (const text of nonsense) await expectRefusal(`?cursor=${text}`);
    });
  });

  describe('a walk over all pages', () => {
    let everybody: UserBody[];
    beforeAll(async () => {
      await signUpMany(40, (i) => ['Twin', 'twin', 'ÉMILE', 'émile', 'Zoë'][i % 5] ?? '', 'walk.example');
      // Forty sign-ups that share three moments: pages must end inside a group of equals.
      await app.database.query(`
        UPDATE users SET created_at = '2026-01-01T00:00:00Z'::timestamptz + (n % 3) * interval '1 millisecond'
        FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM users WHERE email LIKE '%@walk.example') AS numbered
        WHERE users.id = numbered.id`);
      everybody = (await list('?limit=100')).body as UserBody[];
      expect(everybody.length).toBeGreaterThan(40);
      expect(everybody.length).toBeLessThan(100);
    });

    it.each(SORTS.flatMap((sort) => [3, 20].map((limit) => ({ sort, limit }))))(
      'brings every account exactly once: sort=$sort, limit=$limit',
      async ({ sort, limit }) => {
        const rows = await walk(app, `/api/users?sort=${sort}&limit=${limit}`);
        expect(idsOf(rows).toSorted()).toEqual(idsOf(everybody).toSorted());
        // What was not sorted would not be stable either.
        expect(rows.map(sortValue(sort)).join('\n')).toBe(
          sortedBy(sort, rows).map(sortValue(sort)).join('\n'),
        );
      },
    );

    it.each(SORTS)(
      'brings every account exactly once without an index to order them: sort=%s',
      async (sort) => {
        // An index gives equals in the order of ids by luck; a filter may take the plan away from it.
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
      'by %s, read backwards, is the descending one',
      async (sort) => {
        const up = await walk(app, `/api/users?sort=${sort}&limit=9`);
        const down = await walk(app, `/api/users?sort=-${sort}&limit=11`);
        expect(idsOf(down)).toEqual(idsOf(up).toReversed());
      },
    );

    it('sorts by created_at unless told otherwise', async () => {
      const byDefault = await walk(app, '/api/users?limit=10');
      expect(idsOf(byDefault)).toEqual(idsOf(await walk(app, '/api/users?limit=10&sort=created_at')));
    });

    it.each(SORTS)('brings them exactly once while others are inserted: sort=%s', async (sort) => {
      const before = idsOf((await list('?limit=100&search=%40walk.example')).body as UserBody[]);
      const rows = await walk(app, `/api/users?sort=${sort}&limit=16`, (page) =>
        Promise.all([
          signUp('AAA', `0-${sort}-${page}@during.example`),
          signUp('ZZZ', `z-${sort}-${page}@during.example`),
        ]),
      );
      const seen = idsOf(rows).filter((id) => before.includes(id));
      expect(seen.toSorted()).toEqual(before.toSorted());
      expect(new Set(idsOf(rows)).size).toBe(rows.length);
    });

    it.each(['created_at', '-created_at', 'email', '-email'] as const)(
      'brings them exactly once while they are renamed, disabled, enabled and deleted: sort=%s',
      async (sort) => {
        const ours = (await list('?limit=100&sort=email&search=%40walk.example')).body as UserBody[];
        const doomed = await signUpMany(4, () => 'Doomed', `x${sort.replace('_', '')}.doomed.example`);
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

    it('goes on where it was when the very row that ended the page is deleted or renamed', async () => {
      const group = await signUpMany(6, () => 'Last Row', 'lastrow.example');
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

  describe('filters', () => {
    const emails = {
      plain: 'plain@filters.example',
      premium: 'premium@filters.example',
      auditor: 'auditor@filters.example',
      both: 'both@filters.example',
      disabled: 'disabled@filters.example',
      disabledPremium: 'disabled-premium@filters.example',
      deleted: 'deleted@filters.example',
      deletedPremium: 'deleted-premium@filters.example',
    };
    const ours = '&search=%40filters.example&limit=100';

    beforeAll(async () => {
      const roles = async (id: string, names: string[]) =>
        app
          .as(app.admin, 'put', `/api/users/${id}/roles`)
          .set('If-Match', '*')
          .send({ roles: names })
          .expect(200);
      for (const [key, email] of Object.entries(emails)) {
        const { id } = await signUp(`Filtered ${key}`, email);
        if (/premium/i.test(key)) await roles(id, ['user', 'premium']);
        if (key === 'auditor') await roles(id, ['auditor']);
        if (key === 'both') await roles(id, ['user', 'premium', 'auditor']);
        if (key.startsWith('disabled')) {
          await app.as(app.admin, 'patch', `/api/users/${id}`).send({ status: 'disabled' }).expect(200);
        }
        if (key.startsWith('deleted')) await app.as(app.admin, 'delete', `/api/users/${id}`).expect(204);
      }
    });

    const { plain, premium, both, disabled, disabledPremium, deleted, deletedPremium } = emails;
    it.each([
      ['', [plain, premium, emails.auditor, both, disabled, disabledPremium]],
      ['status=active', [plain, premium, emails.auditor, both]],
      ['status=disabled', [disabled, disabledPremium]],
      ['status=deleted', [deleted, deletedPremium]],
      ['role=user', [plain, premium, both, disabled, disabledPremium]],
      ['role=premium', [premium, both, disabledPremium]],
      ['role=auditor', [emails.auditor, both]],
      ['role=admin', []],
      ['role=nobody-has-this', []],
      ['role=premium&status=active', [premium, both]],
      ['role=premium&status=disabled', [disabledPremium]],
      ['role=premium&status=deleted', [deletedPremium]],
      ['role=user&status=disabled', [disabled, disabledPremium]],
      ['role=auditor&status=disabled', []],
    ])('find with "%s" whom they name, in every sort, and count them', async (query, expected) => {
      for (const sort of SORTS) {
        const answer = await list(`?${query}&sort=${sort}&total=exact${ours}`);
        expect(emailsOf(answer)).toEqual(expected.toSorted());
        expect(answer.get('X-Total-Count')).toBe(String(expected.length));
      }
      const estimate = await list(`?${query}&total=estimate${ours}`);
      expect(estimate.get('X-Total-Estimate')).toBe(String(expected.length));
    });

    it('show the deleted with their status, and to users:delete alone', async () => {
      const statuses = ((await list(`?status=deleted${ours}`)).body as UserBody[]).map(
        ({ status }) => status,
      );
      expect(statuses).toEqual(['deleted', 'deleted']);
      const answer = await list(`?status=deleted${ours}`, auditor);
      expect(answer.status).toBe(403);
      expect(answer.body).toMatchObject({ error: { code: 'FORBIDDEN' } });
      const deleter = await accountWith(app, ['users:read', 'users:delete']);
      expect(emailsOf(await list(`?status=deleted${ours}`, deleter))).toEqual(
        [deletedPremium, deleted].toSorted(),
      );
    });

    it('lead through all pages of a combination', async () => {
      const rows = await walk(app, '/api/users?role=premium&status=active&limit=1&search=%40filters.example');
      expect(rows.map(({ email }) => email)).toEqual([premium, both]);
    });
  });

  describe('search', () => {
    let people: UserBody[];
    beforeAll(async () => {
      people = await signUpMany(5, (i) => `Sought ${i}`, 'sought.example');
      // A role that only they have keeps everybody else out of the oracle's sight.
      await app.as(app.admin, 'put', '/api/roles/sought').send({ permissions: [] }).expect(200);
      for (const { id } of people) {
        const change = app.as(app.admin, 'put', `/api/users/${id}/roles`).set('If-Match', '*');
        await change.send({ roles: ['sought'] }).expect(200);
      }
    });

    it('finds a part of the name or of the address, in any case, but none that spans both', async () => {
      await signUp('Zacharias Quux', 'Under_Score%100@search.example');
      for (const hit of ['ZACHARIAS', 'arias q', 'under_', 'SCORE%2525100', '%25100', 'search.EXAMPLE']) {
        expect(emailsOf(await list(`?search=${hit.replace('%2525', '%25')}`))).toEqual([
          'Under_Score%100@search.example',
        ]);
      }
      for (const miss of [
        'Zachari_s',
        'Zach%25ias',
        'under.score',
        'quuxunder',
        'quux%20under',
        '%25%25',
        '%5C_',
      ]) {
        expect((await list(`?search=${miss}`)).body).toEqual([]);
      }
    });

    it('is no filter when it is empty, and bounded when it is long', async () => {
      const total = async (query: string) =>
        (await list(`?total=exact&limit=1${query}`)).get('X-Total-Count');
      expect(await total('&search=')).toBe(await total(''));
      expect((await list(`?search=${'x'.repeat(354)}`)).status).toBe(200);
      expect((await list(`?search=${'x'.repeat(355)}`)).status).toBe(400);
    });

    it.each([
      ['U+0000', '%00'],
      ['a line break, with which a match could span name and address', '%0A'],
      ['invalid UTF-8', '%FF'],
      ['an encoded surrogate', '%ED%A0%80'],
    ])('refuses %s', async (_, search) => {
      expect((await list(`?search=${search}`)).status).toBe(400);
    });

    // Letters whose case has no exceptions in Unicode's simple folding, which the oracle goes by.
    const letter = fc.constantFrom(...'aAbBéÉñÑøØσΣςжЖѣѢծԾ字ß😀𐐨𐐀');
    const sign = fc.constantFrom(...'%_\\\'"$*?()[]{}^|&=+#/ .-~');
    const text = fc.string({ unit: fc.oneof(letter, sign), minLength: 1, maxLength: 12 });
    const name = text.map((part) => `x${part}x`);

    it('finds exactly what a plain search in JavaScript finds, for any names and any part', async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(name, { minLength: 5, maxLength: 5 }),
          fc.nat(4),
          fc.nat(12),
          fc.nat(12),
          fc.option(text),
          fc.boolean(),
          async (names, from, start, length, other, upper) => {
            await Promise.all(
              people.map(({ id }, i) =>
                app.as(app.admin, 'patch', `/api/users/${id}`).send({ name: names[i] }).expect(200),
              ),
            );
            // Half of the searches are a piece of a name, or most of them would find nothing.
            const piece = [...(names[from] ?? '')].slice(start, start + length + 1).join('') || 'x';
            const chosen = other ?? piece;
            const search = upper ? chosen.toLocaleUpperCase('en').replaceAll('SS', 'ß') : chosen;
            const needle = new RegExp(search.replace(/[$()*+./?[\\\]^{|}]/g, '\\$&'), 'iu');
            const expected = people
              .filter(({ email }, i) => needle.test(names[i] ?? '') || needle.test(email))
              .map(({ email }) => email);
            const answer = await list(`?role=sought&search=${encodeURIComponent(search)}`);
            expect(answer.status).toBe(200);
            expect(emailsOf(answer)).toEqual(expected.toSorted());
          },
        ),
        { numRuns: 60 },
      );
    });
  });
});

/** The value that a sort goes by, where JavaScript can tell; lower case of the name and of the address. */
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
