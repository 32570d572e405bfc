import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type TestUser, TestApp } from '../../support/app/test-app.js';
import { createUserWith, nextPage } from '../../support/builders/users.js';

interface RoleBody {
  readonly name: string;
  readonly permissions: string[];
  readonly version: number;
}

/** The permissions of API.md section 3, on purpose not imported from the source. */
const PERMISSIONS =
  'users:read users:write users:delete roles:grant sessions:revoke tokens:introspect audit:read events:read export:run resources:transfer webhooks:manage flags:manage jobs:manage operations:manage'.split(
    ' ',
  );

describe('roles', () => {
  let app: TestApp;
  let granter: TestUser;
  beforeAll(async () => {
    app = await TestApp.create();
    granter = await createUserWith(app, ['roles:grant', 'users:read']);
  });
  afterAll(() => app.close());

  const put = (caller: TestUser, name: string, body: object) =>
    app.as(caller, 'put', `/api/roles/${name}`).send(body);
  const all = async () => (await app.as(app.admin, 'get', '/api/roles?limit=100')).body as RoleBody[];
  const find = async (name: string) => (await all()).find((role) => role.name === name);

  describe('GET /api/roles', () => {
    it('lists the shipped roles with exactly their permissions to any signed-in user', async () => {
      const answer = await app.as(await app.createUser(), 'get', '/api/roles?limit=100');
      expect(answer.status).toBe(200);
      expect(answer.get('Cache-Control')).toBe('no-store');
      const permissionsOf = (name: string) =>
        (answer.body as RoleBody[]).find((role) => role.name === name)?.permissions.toSorted();
      expect(permissionsOf('user')).toEqual([]);
      expect(permissionsOf('premium')).toEqual([]);
      expect(permissionsOf('auditor')).toEqual(['audit:read', 'events:read', 'users:read']);
      expect(permissionsOf('admin')).toEqual(PERMISSIONS.toSorted());
    });

    it('requires sign-in', async () => {
      const answer = await app.request('get', '/api/roles');
      expect([answer.status, answer.get('WWW-Authenticate')]).toEqual([401, 'Bearer']);
    });

    it('pages like every list', async () => {
      const names = (await all()).map(({ name }) => name);
      const walked: string[] = [];
      let next: string | null = '/api/roles?limit=2&total=exact';
      while (next !== null) {
        const page = await app.as(app.admin, 'get', next);
        expect(page.get('X-Total-Count')).toBe(String(names.length));
        walked.push(...(page.body as RoleBody[]).map(({ name }) => name));
        next = nextPage(page);
      }
      expect(walked).toEqual(names);
      expect(new Set(names).size).toBe(names.length);
      const estimate = await app.as(app.admin, 'get', '/api/roles?total=estimate');
      expect(estimate.get('X-Total-Estimate')).toBe(String(names.length));
      const offset = await app.as(app.admin, 'get', '/api/roles?limit=1&offset=1');
      expect((offset.body as RoleBody[]).map(({ name }) => name)).toEqual(names.slice(1, 2));
      for (const query of ['limit=0', 'limit=101', 'offset=10001', 'cursor=x', 'sort=name', 'search=a']) {
        expect([query, (await app.as(app.admin, 'get', `/api/roles?${query}`)).status]).toEqual([query, 400]);
      }
    });
  });

  describe('GET /api/roles/{name}', () => {
    it('returns the role to any signed-in user, with the ETag that a PUT accepts', async () => {
      const made = await put(app.admin, 'readable', { permissions: ['users:read'] }).expect(200);
      const user = await app.createUser();
      const answer = await app.as(user, 'get', '/api/roles/readable').expect(200);
      expect(answer.body).toEqual(made.body);
      const tag = String(answer.get('ETag'));
      expect(tag).toBe(made.get('ETag'));
      await app.as(user, 'get', '/api/roles/readable').set('If-None-Match', tag).expect(304);
      await put(app.admin, 'readable', { permissions: [] }).set('If-Match', tag).expect(200);
      await put(app.admin, 'readable', { permissions: [] }).set('If-Match', tag).expect(412);
      expect((await app.request('get', '/api/roles/readable')).status).toBe(401);
    });

    it('returns 404 for an unknown role and 400 for an invalid name', async () => {
      await app.as(app.admin, 'get', '/api/roles/nobody-made-this').expect(404);
      await app.as(app.admin, 'get', '/api/roles/Not%20a%20role').expect(400);
    });
  });

  describe('PUT /api/roles/{name}', () => {
    it('creates a role, then replaces its permissions in the next version, with the ETag', async () => {
      const made = await put(app.admin, 'support', { permissions: ['users:read', 'sessions:revoke'] });
      expect(made.status).toBe(200);
      expect(made.body).toMatchObject({ name: 'support', permissions: ['sessions:revoke', 'users:read'] });
      const { version } = made.body as RoleBody;
      expect(made.get('ETag')).toBe(`"support.${version}"`);
      const changed = await put(app.admin, 'support', { permissions: ['users:write', 'users:read'] });
      expect(changed.status).toBe(200);
      expect(changed.body).toMatchObject({
        permissions: ['users:read', 'users:write'],
        version: version + 1,
      });
      expect(changed.get('ETag')).toBe(`"support.${version + 1}"`);
      expect(await find('support')).toEqual(changed.body);
      const same = await put(app.admin, 'support', { permissions: ['users:write', 'users:read'] });
      expect(same.body).toEqual(changed.body);
    });

    it('takes back what a read returns, and refuses the name of another role', async () => {
      const { body } = await put(app.admin, 'read-back', { permissions: ['users:read'] }).expect(200);
      const again = await put(app.admin, 'read-back', { ...(body as object), version: 7 }).expect(200);
      expect(again.body).toEqual(body);
      const wrong = await put(app.admin, 'read-back', { name: 'support', permissions: [] }).expect(400);
      expect(wrong.body).toMatchObject({ error: { message: 'name must be the one in the path' } });
    });

    it('grants and withdraws permissions from the next request on', async () => {
      await put(app.admin, 'helper', { permissions: [] }).expect(200);
      const holder = await app.createUser(['user', 'helper']);
      const list = async () => (await app.as(holder, 'get', '/api/users')).status;
      expect(await list()).toBe(403);
      await put(app.admin, 'helper', { permissions: ['users:read'] }).expect(200);
      expect(await list()).toBe(200);
      await put(app.admin, 'helper', { permissions: [] }).expect(200);
      expect(await list()).toBe(403);
    });

    it.each(['user', 'premium', 'auditor', 'admin'])('returns 409 for the shipped role %s', async (name) => {
      const before = await find(name);
      for (const permissions of [[], PERMISSIONS, before?.permissions]) {
        const answer = await put(app.admin, name, { permissions });
        expect(answer.status).toBe(409);
        expect(answer.body).toMatchObject({ error: { code: 'CONFLICT' } });
      }
      expect(await find(name)).toEqual(before);
    });

    it('requires roles:grant', async () => {
      const others = [
        await app.createUser(),
        await createUserWith(app, ['users:read', 'users:write', 'users:delete']),
      ];
      for (const caller of others) {
        expect((await put(caller, 'mine', { permissions: [] })).status).toBe(403);
        expect((await put(caller, 'admin', { nonsense: true })).status).toBe(403);
      }
      expect((await app.request('put', '/api/roles/mine').send({ permissions: [] })).status).toBe(401);
      expect(await find('mine')).toBeUndefined();
    });

    it("refuses a permission that the caller does not hold, even for the caller's own role", async () => {
      await put(app.admin, 'above', { permissions: ['users:read', 'users:delete'] }).expect(200);
      const own = (await app.as(granter, 'get', '/api/users/me')).body as { roles: string[] };
      const ownRole = own.roles.find((role) => role !== 'user') ?? '';
      for (const name of ['fresh', ownRole, 'above']) {
        const before = await find(name);
        const answer = await put(granter, name, { permissions: ['users:read', 'users:write'] });
        expect(answer.status).toBe(403);
        expect(answer.body).toMatchObject({ error: { code: 'FORBIDDEN' } });
        // A refusal leaves no half-created role behind.
        expect(await find(name)).toEqual(before);
      }
      expect((await put(granter, 'fresh', { permissions: ['users:read', 'roles:grant'] })).status).toBe(200);
    });

    it('lets the caller keep or remove permissions that the caller does not hold', async () => {
      await put(app.admin, 'kept', { permissions: ['users:delete', 'jobs:manage'] }).expect(200);
      const kept = await put(granter, 'kept', { permissions: ['users:delete', 'users:read'] });
      expect(kept.body).toMatchObject({ permissions: ['users:delete', 'users:read'] });
      expect((await put(granter, 'kept', { permissions: ['jobs:manage'] })).status).toBe(403);
    });

    it.each([
      ['no permissions', {}],
      ['null', { permissions: null }],
      ['a single name', { permissions: 'users:read' }],
      ['an unknown permission', { permissions: ['users:read', 'users:everything'] }],
      ['a duplicate permission', { permissions: ['users:read', 'users:read'] }],
      ['an unknown property', { permissions: [], owner: 'admin' }],
      ['a role that ships', { permissions: [], shipped: true }],
    ])('refuses %s and creates nothing', async (_, body) => {
      const answer = await put(app.admin, 'faulty', body);
      expect(answer.status).toBe(400);
      expect(answer.body).toMatchObject({ error: { code: 'VALIDATION_ERROR' } });
      expect(await find('faulty')).toBeUndefined();
    });

    it.each(['Support', '9lives', 'two%20words', 'a.b', `a${'b'.repeat(50)}`, '%00', 'r%C3%B4le'])(
      'refuses the name %s',
      async (name) => {
        const before = await all();
        expect((await put(app.admin, name, { permissions: [] })).status).toBe(400);
        expect(await all()).toEqual(before);
      },
    );

    it("ends with one caller's complete set when many change one role at once", async () => {
      const wishes = PERMISSIONS.slice(0, 8).map((permission, i) =>
        [permission, PERMISSIONS[i + 1] ?? ''].toSorted(),
      );
      const answers = await Promise.all(
        wishes.map((permissions) => put(app.admin, 'contested', { permissions })),
      );
      expect(answers.map(({ status }) => status)).toEqual(wishes.map(() => 200));
      expect(answers.map(({ body }) => (body as RoleBody).permissions)).toEqual(wishes);
      expect(wishes).toContainEqual((await find('contested'))?.permissions);
      const versions = answers.map(({ body }) => (body as RoleBody).version);
      expect(new Set(versions).size).toBe(versions.length);
    });
  });
});
