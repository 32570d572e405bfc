import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Permission } from '../../../src/common/authorization/permissions.js';
import type { UserBatchDto as BatchBody } from '../../../src/modules/user-batches/dto/user-batch.dto.js';
import { batch } from '../../support/builders/jobs.js';
import { statusOf, whileChanging } from '../../support/builders/sessions.js';
import { type TestUser, TestApp } from '../../support/app/test-app.js';
import { createUserWith, read } from '../../support/builders/users.js';

/** The permissions that allow acting on users. */
const ACTING = ['users:read', 'users:write', 'users:delete', 'roles:grant', 'sessions:revoke'] as const;
const ABOVE = [...ACTING, 'jobs:manage'] as const satisfies readonly Permission[];

let app: TestApp;
/** A caller with every permission over users and no other permission. */
let caller: TestUser;
/** A role with a permission that the caller does not hold. */
let strongRole: string;

beforeAll(async () => {
  app = await TestApp.create();
  caller = await createUserWith(app, ACTING);
  strongRole = (await read(app, (await createUserWith(app, ['jobs:manage'])).id)).roles.find(
    (role) => role !== 'user',
  ) as string;
});
afterAll(() => app.close());

const stronger = () => app.createUser(['user', strongRole]);
const asCaller = (method: 'get' | 'patch' | 'put' | 'post' | 'delete', path: string) =>
  app.as(caller, method, path).set('If-Match', '*');

type State = 'active' | 'disabled' | 'deleted';

async function inState(user: TestUser, state: State): Promise<TestUser> {
  const path = `/api/users/${user.id}`;
  if (state === 'disabled') await app.as(app.admin, 'patch', path).send({ status: 'disabled' }).expect(200);
  if (state === 'deleted') await app.as(app.admin, 'delete', path).expect(204);
  return user;
}

const ways = {
  'renames them': ['active', (id: string) => asCaller('patch', `/api/users/${id}`).send({ name: 'New' })],
  'disables them': [
    'active',
    (id: string) => asCaller('patch', `/api/users/${id}`).send({ status: 'disabled' }),
  ],
  'enables them': [
    'disabled',
    (id: string) => asCaller('patch', `/api/users/${id}`).send({ status: 'active' }),
  ],
  'removes a role from them': [
    'active',
    (id: string) => asCaller('put', `/api/users/${id}/roles`).send({ roles: ['premium'] }),
  ],
  'deletes them': ['active', (id: string) => asCaller('delete', `/api/users/${id}`)],
  'restores them': ['deleted', (id: string) => app.as(caller, 'post', `/api/users/${id}/restore`)],
  'erases them': ['deleted', (id: string) => app.as(caller, 'post', `/api/users/${id}/erase`)],
  'signs them out': ['active', (id: string) => app.as(caller, 'delete', `/api/users/${id}/sessions`)],
  'ends one of their sessions': [
    'active',
    async (id: string) => {
      const [session] = (await app.as(app.admin, 'get', `/api/users/${id}/sessions`)).body as {
        id: string;
      }[];
      return app.as(caller, 'delete', `/api/users/${id}/sessions/${session?.id}`);
    },
  ],
  'sends them a password reset': [
    'active',
    (id: string) => app.as(caller, 'post', `/api/users/${id}/password-reset`),
  ],
  'changes their address': [
    'active',
    (id: string) => asCaller('put', `/api/users/${id}/email`).send({ email: `moved-${id}@example.com` }),
  ],
  'reads all data held about them': [
    'active',
    (id: string) => app.as(caller, 'get', `/api/users/${id}/data`),
  ],
} as const;
const all = Object.entries(ways);

describe('a caller with fewer permissions than another user', () => {
  it.each(all)('is refused when the caller %s, and nothing changes', async (_, [state, act]) => {
    const target = await inState(await stronger(), state);
    const before = await read(app, target.id);
    const signedIn = await statusOf(app.url, target.token);
    const answer = await act(target.id);
    expect(answer.status).toBe(403);
    expect(answer.body).toMatchObject({ error: { code: 'FORBIDDEN' } });
    expect(await read(app, target.id)).toEqual(before);
    expect(await statusOf(app.url, target.token)).toBe(signedIn);
  });

  it.each(all)('may act on a user with no more permissions when the caller %s', async (_, [state, act]) => {
    const { id } = await inState(await app.createUser(['user', 'premium']), state);
    expect((await act(id)).status).toBeLessThan(300);
  });

  it.each([
    ['enable', 'disabled', {}],
    ['disable', 'active', {}],
    ['delete', 'active', {}],
    ['restore', 'deleted', {}],
    ['grant_role', 'active', { role: 'premium' }],
    ['revoke_role', 'active', { role: 'user' }],
    ['revoke_sessions', 'active', {}],
  ] as const)('has the row of the stronger one fail in a batch to %s', async (action, state, more) => {
    const [target, weak] = await Promise.all([stronger(), app.createUser(['user', 'premium'])]);
    await Promise.all([inState(target, state), inState(weak, state)]);
    const before = await read(app, target.id);
    for (const dry_run of [true, false]) {
      const body: BatchBody = { action, user_ids: [target.id, weak.id], dry_run, ...more };
      const { results } = await batch(app, body, caller);
      expect(results[0]).toMatchObject({ status: 'failed', error: { code: 'FORBIDDEN' } });
      expect(results[1]).toMatchObject({ status: 'ok' });
    }
    expect(await read(app, target.id)).toEqual(before);
  });

  it("can read the stronger user and that user's sessions", async () => {
    const { id } = await stronger();
    expect((await app.as(caller, 'get', `/api/users/${id}`)).status).toBe(200);
    expect((await app.as(caller, 'get', `/api/users/${id}/sessions`)).status).toBe(200);
  });

  it('gets 403 before the condition is judged, and 404 for an invisible user', async () => {
    const writer = await createUserWith(app, ['users:write']);
    const { id } = await stronger();
    const patch = () =>
      app.as(writer, 'patch', `/api/users/${id}`).set('If-Match', '"wrong.1"').send({ name: 'New' });
    expect((await patch()).status).toBe(403);
    await app.as(app.admin, 'delete', `/api/users/${id}`).expect(204);
    expect((await patch()).status).toBe(404);
  });
});

describe('a caller with as many permissions', () => {
  it('may act on the other user, and every user may act on themselves', async () => {
    const [first, second] = await Promise.all([createUserWith(app, ABOVE), stronger()]);
    await app.as(first, 'patch', `/api/users/${second.id}`).send({ name: 'New' }).expect(200);
    const own = await stronger();
    await app.as(own, 'get', `/api/users/${own.id}/data`).expect(200);
    await app.as(own, 'patch', '/api/users/me').send({ name: 'Mine' }).expect(200);
    await app.as(own, 'delete', `/api/users/${own.id}`).expect(204);
  });
});

describe('a change of a role', () => {
  const put = (by: TestUser, name: string, permissions: readonly Permission[]) =>
    app.as(by, 'put', `/api/roles/${name}`).send({ permissions });
  const permissionsOf = async (name: string) => {
    const roles = (await app.as(app.admin, 'get', '/api/roles?limit=100')).body as {
      name: string;
      permissions: string[];
    }[];
    return roles.find((role) => role.name === name)?.permissions;
  };

  it('is refused while a holder has more permissions than the caller, whatever the role permits', async () => {
    for (const name of ['soft', 'hard']) {
      const permissions: Permission[] = name === 'hard' ? ['jobs:manage'] : ['users:read'];
      await put(app.admin, name, permissions).expect(200);
      const { id } = await app.createUser(name === 'hard' ? ['hard'] : ['soft', strongRole]);
      await inState({ id, email: '', token: '' }, 'disabled');
      for (const wanted of [[], ['users:write', ...permissions]] as Permission[][])
        expect([name, (await put(caller, name, wanted)).status]).toEqual([name, 403]);
      expect((await put(caller, name, permissions)).status).toBe(200);
      expect(await permissionsOf(name)).toEqual(permissions);
    }
  });

  it('is allowed when the holders are weaker users, the caller, or nobody', async () => {
    await put(app.admin, 'weak', ['users:read', 'jobs:manage']).expect(200);
    expect((await put(caller, 'weak', ['users:read'])).status).toBe(200);
    await app.createUser(['user', 'weak']);
    expect((await put(caller, 'weak', ['users:write'])).status).toBe(200);
  });

  it('waits for a concurrent grant to a holder and is then refused', async () => {
    await put(app.admin, 'awaited', ['users:read']).expect(200);
    const { id } = await app.createUser(['user', 'awaited']);
    const grant = {
      sql: `WITH held AS (SELECT name FROM roles WHERE name = 'awaited' FOR KEY SHARE)
            UPDATE users SET roles = ARRAY['admin', held.name] FROM held WHERE id = $1`,
      values: [id],
    };
    const [answer] = await whileChanging(app.database, grant, {
      start: () => [put(caller, 'awaited', [])],
    });
    expect(answer?.status).toBe(403);
    expect(await permissionsOf('awaited')).toEqual(['users:read']);
  });
});

describe('an action during a concurrent change of permissions', () => {
  it.each(all.filter(([, [state]]) => state === 'active'))(
    'waits for a concurrent grant when the caller %s, and is then refused',
    async (_, [, act]) => {
      const { id } = await app.createUser();
      const grant = { sql: `UPDATE users SET roles = ARRAY['admin'] WHERE id = $1`, values: [id] };
      const [answer] = await whileChanging(app.database, grant, { start: () => [act(id)] });
      expect(answer?.status).toBe(403);
      expect(await read(app, id)).toMatchObject({ status: 'active', name: 'Somebody', roles: ['admin'] });
      await app.database.query(`UPDATE users SET roles = ARRAY['user'] WHERE id = $1`, [id]);
    },
  );

  it("waits for a concurrent extension of the target's role and is then refused", async () => {
    await app.as(app.admin, 'put', '/api/roles/growing').send({ permissions: [] }).expect(200);
    const { id } = await app.createUser(['user', 'growing']);
    const more = {
      sql: `WITH held AS (SELECT name FROM roles WHERE name = 'growing' FOR UPDATE)
            INSERT INTO role_permissions (role, permission) SELECT name, 'jobs:manage' FROM held`,
      values: [],
    };
    const [answer] = await whileChanging(app.database, more, {
      start: () => [asCaller('patch', `/api/users/${id}`).send({ status: 'disabled' })],
    });
    expect(answer?.status).toBe(403);
    expect(await read(app, id)).toMatchObject({ status: 'active' });
  });

  it('is judged by the permissions left once the row is locked', async () => {
    const [losing, target] = await Promise.all([createUserWith(app, ABOVE), stronger()]);
    const taken = {
      sql: `UPDATE users SET roles = CASE id WHEN $1 THEN ARRAY['user'] ELSE roles END WHERE id IN ($1, $2)`,
      values: [losing.id, target.id],
    };
    const [answer] = await whileChanging(app.database, taken, {
      start: () => [app.as(losing, 'patch', `/api/users/${target.id}`).send({ status: 'disabled' })],
    });
    expect(answer?.status).toBe(403);
    expect(await read(app, target.id)).toMatchObject({ status: 'active' });
  });

  it('never deletes a user after the grant, however often both run concurrently', async () => {
    for (let round = 0; round < 12; round++) {
      const { id } = await app.createUser();
      const [granted, deleted] = await Promise.all([
        app
          .as(app.admin, 'put', `/api/users/${id}/roles`)
          .set('If-Match', '*')
          .send({ roles: ['auditor'] }),
        asCaller('delete', `/api/users/${id}`),
      ]);
      const { status, roles } = await read(app, id);
      expect([
        { status: 'active', roles: ['auditor'], answers: [200, 403] },
        { status: 'deleted', roles: ['user'], answers: [409, 204] },
      ]).toContainEqual({ status, roles, answers: [granted.status, deleted.status] });
    }
  });
});
