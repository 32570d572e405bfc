import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Response } from 'supertest';
import { type TestUser, TestApp } from '../../support/app/test-app.js';
import {
  createUserWith,
  nextPage,
  signUp,
  signUpMany,
  SORTS,
  type UserBody,
  walk,
} from '../../support/builders/users.js';

describe('GET /api/users', () => {
  let app: TestApp;
  let auditor: TestUser;
  beforeAll(async () => {
    // One connection, so that a test can control the plans of the next statements.
    app = await TestApp.create({ config: { DB_POOL_MAX: 1 } });
    auditor = await app.createUser(['auditor']);
  });
  afterAll(() => app.close());

  const list = (query = '', caller = app.admin): Promise<Response> =>
    app.as(caller, 'get', `/api/users${query}`);
  const idsOf = (rows: readonly UserBody[]) => rows.map(({ id }) => id);
  const emailsOf = (answer: Response) => (answer.body as UserBody[]).map(({ email }) => email).toSorted();

  describe('permission to list', () => {
    it('requires users:read', async () => {
      expect((await app.request('get', '/api/users')).status).toBe(401);
      expect((await list('', await app.createUser())).status).toBe(403);
      const allButReading = await createUserWith(app, ['users:write', 'users:delete', 'roles:grant']);
      expect((await list('', allButReading)).status).toBe(403);
      expect((await list('', auditor)).status).toBe(200);
    });
  });

  describe('a page', () => {
    // The users of other tests do not match.
    const ours = '&search=%40pages.example';
    beforeAll(async () => {
      await signUpMany(app, 25, (i) => `Page ${i}`, 'pages.example');
    });

    it('is a bare array of whole users that caches must not store', async () => {
      const answer = await list(`?limit=1${ours}`);
      expect(answer.get('Cache-Control')).toBe('no-store');
      expect(answer.body).toHaveLength(1);
      const [user] = answer.body as UserBody[];
      expect((await app.as(app.admin, 'get', `/api/users/${user?.id}`)).body).toEqual(user);
    });

    it('has 20 rows by default, or the requested number', async () => {
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
    ])('is refused for %s', async (query) => {
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
    ])('is refused for %s', async (query) => {
      expect((await list(`?${query}`)).body).toMatchObject({
        error: { code: 'VALIDATION_ERROR', details: [{ field: query.split('=')[0] }] },
      });
    });

    it.each([
      ['unknown', 'page=2', 'page'],
      ['given twice', 'limit=5&limit=5', 'limit'],
      ['given twice, once encoded', 'limit=5&l%69mit=6', 'limit'],
      ['spelled as an array', 'limit[]=5', 'limit[]'],
    ])('is refused with a parameter that is %s', async (_, query, field) => {
      const answer = await list(`?${query}`);
      expect(answer.status).toBe(400);
      expect(answer.body).toMatchObject({ error: { code: 'VALIDATION_ERROR', details: [{ field }] } });
    });

    it('has a Link to the next page, except on the last one', async () => {
      const first = await list(`?limit=20${ours}`);
      expect(first.get('Link')).toMatch(/^<\/api\/users\?[^>]*cursor=[\w-]+[^>]*>; rel="next"$/);
      const second = await list((nextPage(first) ?? '').replace('/api/users', ''));
      expect(second.body).toHaveLength(5);
      expect(second.get('Link')).toBeUndefined();
    });

    it('has no Link when the last page is exactly full', async () => {
      const answer = await list(`?limit=25${ours}`);
      expect(answer.body).toHaveLength(25);
      expect(answer.get('Link')).toBeUndefined();
      expect((await list('?search=nobody-has-this')).get('Link')).toBeUndefined();
    });

    it('keeps limit, filters and sort in its Link, in any spelling', async () => {
      const special = await signUpMany(app, 3, () => 'Who?&= +%41 é', 'special.example');
      for (const search of ['Who?&', 'who%3F%26%3D', 'WHO?%26=+%2B%2541', '%C3%A9']) {
        const rows = await walk(app, `/api/users?search=${search}&limit=1&sort=-email&total=exact&role=user`);
        expect(idsOf(rows)).toEqual(idsOf(special).toReversed());
      }
    });

    it('skips rows by offset and continues from there', async () => {
      const all = idsOf((await list(`?limit=25&sort=email${ours}`)).body as UserBody[]);
      const page = await list(`?limit=3&offset=20&sort=email${ours}`);
      expect(idsOf(page.body as UserBody[])).toEqual(all.slice(20, 23));
      const rest = await list((nextPage(page) ?? '').replace('/api/users', ''));
      expect(idsOf(rest.body as UserBody[])).toEqual(all.slice(23));
      expect((await list(`?offset=25${ours}`)).body).toEqual([]);
      expect((await list(`?offset=10000${ours}`)).body).toEqual([]);
    });

    it('is refused past offset 10,000, with a pointer to the cursor', async () => {
      for (const offset of ['10001', '99999999999999999999', '-1']) {
        const answer = await list(`?offset=${offset}`);
        expect(answer.status).toBe(400);
        expect(answer.body).toMatchObject({
          error: { code: 'VALIDATION_ERROR', message: expect.stringMatching(/cursor.*Link/) },
        });
      }
    });

    it('returns the exact total of the filter on every page, only on request', async () => {
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

    it('returns an estimate, which is exact for small numbers', async () => {
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

    it('also works with another limit, with a total, and with its sort named explicitly', async () => {
      for (const query of ['limit=2', 'limit=1&total=exact', 'limit=3&sort=created_at']) {
        expect((await list(`?${query}&cursor=${cursor}`)).status).toBe(200);
      }
    });

    it('is refused in combination with offset', () => expectRefusal(`?cursor=${cursor}&offset=0`));

    it.each(['search=a', 'role=user', 'status=active', 'sort=-created_at', 'sort=email', 'sort=name'])(
      'is refused with %s when created without it',
      (query) => expectRefusal(`?cursor=${cursor}&${query}`),
    );

    it('is refused without the filter it was created with, and by another list', async () => {
      const filtered = cursorOf(await list('?limit=1&role=user'));
      await expectRefusal(`?cursor=${filtered}`);
      await expectRefusal(`?cursor=${filtered}&role=admin`);
      const roles = cursorOf(await app.as(app.admin, 'get', '/api/roles?limit=1'));
      await expectRefusal(`?cursor=${roles}`);
      const answer = await app.as(app.admin, 'get', `/api/roles?cursor=${cursor}`);
      expect(answer.status).toBe(400);
    });

    it('is refused after a change of any single character, and when cut or extended anywhere', async () => {
      for (let i = 0; i < cursor.length; i++) {
        const other = cursor[i] === 'A' ? 'B' : 'A';
        await expectRefusal(`?cursor=${cursor.slice(0, i)}${other}${cursor.slice(i + 1)}`);
      }
      for (const length of [1, 10, cursor.length - 1])
        await expectRefusal(`?cursor=${cursor.slice(0, length)}`);
      for (const more of ['A', 'AAAA', '!', '%3D', '%20']) await expectRefusal(`?cursor=${cursor}${more}`);
    });

    it.each(SORTS)('of sort=%s is refused with another value inside', async (sort) => {
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

    it('is refused when it never was a cursor', async () => {
      const nonsense = ['', 'x', 'null', 'W10', 'e30', '[]', '%F0%9F%98%80', 'A'.repeat(4097)];
      for (const text of nonsense) await expectRefusal(`?cursor=${text}`);
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
        const { id } = await signUp(app, `Filtered ${key}`, email);
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
    ])('match the right users with "%s" in every sort, and count them', async (query, expected) => {
      for (const sort of SORTS) {
        const answer = await list(`?${query}&sort=${sort}&total=exact${ours}`);
        expect(emailsOf(answer)).toEqual(expected.toSorted());
        expect(answer.get('X-Total-Count')).toBe(String(expected.length));
      }
      const estimate = await list(`?${query}&total=estimate${ours}`);
      expect(estimate.get('X-Total-Estimate')).toBe(String(expected.length));
    });

    it('return deleted users with their status, only with users:delete', async () => {
      const statuses = ((await list(`?status=deleted${ours}`)).body as UserBody[]).map(
        ({ status }) => status,
      );
      expect(statuses).toEqual(['deleted', 'deleted']);
      const answer = await list(`?status=deleted${ours}`, auditor);
      expect(answer.status).toBe(403);
      expect(answer.body).toMatchObject({ error: { code: 'FORBIDDEN' } });
      const deleter = await createUserWith(app, ['users:read', 'users:delete']);
      expect(emailsOf(await list(`?status=deleted${ours}`, deleter))).toEqual(
        [deletedPremium, deleted].toSorted(),
      );
    });

    it('page through all matches of a combination', async () => {
      const rows = await walk(app, '/api/users?role=premium&status=active&limit=1&search=%40filters.example');
      expect(rows.map(({ email }) => email)).toEqual([premium, both]);
    });
  });
});
