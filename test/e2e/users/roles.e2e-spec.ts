import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { permissions } from '../../../src/modules/permissions.js';
import { tagOf } from '../../support/http/entity-tags.js';
import { type TestUser, PASSWORD, signIn, TestApp } from '../../support/app/test-app.js';
import { createUserWith, NOBODY, read, type UserBody } from '../../support/builders/users.js';

describe('PUT /api/users/{id}/roles', () => {
  let app: TestApp;
  let granter: TestUser;
  beforeAll(async () => {
    app = await TestApp.create();
    granter = await createUserWith(app, ['roles:grant', 'users:read']);
    await app
      .as(app.admin, 'put', '/api/roles/reader')
      .send({ permissions: ['users:read'] })
      .expect(200);
    await app.as(app.admin, 'put', '/api/roles/empty').send({ permissions: [] }).expect(200);
  });
  afterAll(() => app.close());

  const put = (caller: TestUser, id: string, body: object, condition = '*') =>
    app.as(caller, 'put', `/api/users/${id}/roles`).set('If-Match', condition).send(body);

  it('replaces the roles in the next version and returns the user with the ETag', async () => {
    const { id } = await app.createUser();
    const before = await read(app, id);
    const answer = await put(app.admin, id, { roles: ['user', 'premium'] }, tagOf(before));
    expect(answer.status).toBe(200);
    const { roles, updated_at } = answer.body as UserBody;
    expect(roles.toSorted()).toEqual(['premium', 'user']);
    expect(answer.body).toEqual({ ...before, roles, updated_at, version: before.version + 1 });
    expect(answer.get('ETag')).toBe(tagOf({ ...before, version: before.version + 1 }));
    expect(await read(app, id)).toEqual(answer.body);
  });

  it('keeps the version when the same roles come in another order', async () => {
    const { id } = await app.createUser(['user', 'premium']);
    const { version } = await read(app, id);
    for (const roles of [
      ['user', 'premium'],
      ['premium', 'user'],
    ]) {
      expect((await put(app.admin, id, { roles })).body).toMatchObject({ version });
    }
  });

  it('returns 428 without If-Match and changes nothing', async () => {
    const { id } = await app.createUser();
    const answer = await app.as(app.admin, 'put', `/api/users/${id}/roles`).send({ roles: ['premium'] });
    expect(answer.status).toBe(428);
    expect(answer.body).toMatchObject({ error: { code: 'PRECONDITION_REQUIRED' } });
    expect(await read(app, id)).toMatchObject({ roles: ['user'], version: 1 });
  });

  it('returns 412 with the current ETag for another version and changes nothing', async () => {
    const { id } = await app.createUser();
    for (const condition of ['"77"', '"1"', `W/${tagOf({ id, version: 1 })}`, `${id}.1`]) {
      const answer = await put(app.admin, id, { roles: ['premium'] }, condition);
      expect([condition, answer.status]).toEqual([condition, 412]);
      expect(answer.body).toMatchObject({ error: { code: 'PRECONDITION_FAILED' } });
      expect(answer.get('ETag')).toBe(tagOf({ id, version: 1 }));
    }
    expect(await read(app, id)).toMatchObject({ roles: ['user'], version: 1 });
  });

  it.each([
    ['no roles', {}],
    ['an empty list', { roles: [] }],
    ['a single name', { roles: 'user' }],
    ['a duplicate name', { roles: ['user', 'user'] }],
    ['an unknown role', { roles: ['user', 'nobody-made-this'] }],
    ['an empty name', { roles: [''] }],
    ['null', { roles: [null] }],
    ['capitals', { roles: ['User'] }],
    ['an unknown property', { roles: ['user'], name: 'X' }],
  ])('refuses %s', async (_, body) => {
    const { id } = granter;
    const before = await read(app, id);
    const answer = await put(app.admin, id, body);
    expect(answer.status).toBe(400);
    expect(answer.body).toMatchObject({ error: { code: 'VALIDATION_ERROR' } });
    expect(await read(app, id)).toEqual(before);
  });

  it('requires roles:grant and returns 403 to others, also for their own id', async () => {
    const user = await app.createUser();
    const others = [user, await createUserWith(app, ['users:read', 'users:write', 'users:delete'])];
    for (const caller of others) {
      for (const id of [user.id, caller.id, NOBODY, 'not-an-id']) {
        expect([id, (await put(caller, id, { roles: ['admin'] })).status]).toEqual([id, 403]);
      }
    }
    const path = `/api/users/${user.id}/roles`;
    expect((await app.request('put', path).send({ roles: ['user'] })).get('WWW-Authenticate')).toBe('Bearer');
  });

  it('returns 404 for an unknown or hidden deleted user, and 400 for an invalid id', async () => {
    const gone = await app.createUser();
    await app.as(gone, 'delete', `/api/users/${gone.id}`).expect(204);
    expect((await put(granter, NOBODY, { roles: ['user'] })).status).toBe(404);
    expect((await put(granter, gone.id, { roles: ['user'] })).status).toBe(404);
    expect((await put(granter, 'not-an-id', { roles: ['user'] })).status).toBe(400);
  });

  it('takes effect on the next request with the same token', async () => {
    const user = await app.createUser();
    const list = async () => (await app.as(user, 'get', '/api/users')).status;
    expect(await list()).toBe(403);
    await put(app.admin, user.id, { roles: ['user', 'auditor'] }).expect(200);
    expect(await list()).toBe(200);
    await put(app.admin, user.id, { roles: ['user'] }).expect(200);
    expect(await list()).toBe(403);
    expect((await app.as(user, 'get', '/api/users/me')).status).toBe(200);
  });

  describe('a permission that the caller does not hold', () => {
    it('cannot be granted to others or oneself, alone or with other permissions', async () => {
      const { id } = await app.createUser();
      for (const target of [id, granter.id]) {
        const before = await read(app, target);
        for (const roles of [['admin'], ['auditor'], [...before.roles, 'auditor'], ['reader', 'admin']]) {
          const answer = await put(granter, target, { roles });
          expect([roles, answer.status]).toEqual([roles, 403]);
          expect(answer.body).toMatchObject({ error: { code: 'FORBIDDEN' } });
        }
        expect(await read(app, target)).toEqual(before);
      }
    });

    it('does not block granting held permissions, or roles without permissions', async () => {
      const { id } = await app.createUser();
      const answer = await put(granter, id, { roles: ['user', 'premium', 'reader', 'empty'] });
      expect(answer.status).toBe(200);
    });

    it('blocks changing the roles of its holder', async () => {
      const { id } = await app.createUser(['user', 'auditor']);
      const before = await read(app, id);
      for (const roles of [['auditor', 'premium'], ['premium'], ['auditor'], []]) {
        expect([roles, (await put(granter, id, { roles })).status]).toEqual([roles, 403]);
      }
      expect(await read(app, id)).toEqual(before);
    });

    it('is refused before the condition is judged, like an unknown role', async () => {
      const { id } = await app.createUser();
      expect((await put(granter, id, { roles: ['admin'] }, '"77"')).status).toBe(403);
      expect((await put(granter, id, { roles: ['nobody-made-this', 'admin'] })).status).toBe(403);
      expect((await put(granter, id, { roles: [] }, '"77"')).status).toBe(400);
      expect((await put(granter, id, { roles: ['nobody-made-this'] }, '"77"')).status).toBe(400);
      expect((await put(granter, id, { roles: ['premium'] }, '"77"')).status).toBe(412);
    });
  });

  describe('the last active admin', () => {
    /** A role with every permission of an admin. */
    let peer: TestUser;
    beforeAll(async () => {
      peer = await createUserWith(app, permissions);
    });

    it('keeps the role, whoever makes the request', async () => {
      const before = await read(app, app.admin.id);
      for (const caller of [app.admin, peer]) {
        const answer = await put(caller, app.admin.id, { roles: ['user'] });
        expect(answer.status).toBe(409);
        expect(answer.body).toMatchObject({ error: { code: 'CONFLICT' } });
      }
      expect(await read(app, app.admin.id)).toEqual(before);
      expect((await put(app.admin, app.admin.id, { roles: ['admin', 'premium'] })).status).toBe(200);
    });

    it('can be replaced only by another active admin, not by a disabled or deleted one', async () => {
      const second = await app.createUser(['admin']);
      const path = `/api/users/${second.id}`;
      await app.as(app.admin, 'patch', path).send({ status: 'disabled' }).expect(200);
      expect((await put(peer, app.admin.id, { roles: ['user'] })).status).toBe(409);
      await app.as(app.admin, 'delete', path).expect(204);
      expect((await put(peer, app.admin.id, { roles: ['user'] })).status).toBe(409);
      await app.as(app.admin, 'post', `${path}/restore`).expect(200);
      expect((await put(peer, app.admin.id, { roles: ['user'] })).status).toBe(409);
      await app.as(app.admin, 'patch', path).send({ status: 'active' }).expect(200);
      expect((await put(peer, app.admin.id, { roles: ['user'] })).status).toBe(200);
      expect((await put(peer, second.id, { roles: ['user'] })).status).toBe(409);
      const back = await signIn(app.url, second.email, PASSWORD);
      await put(back, app.admin.id, { roles: ['admin', 'user'] }).expect(200);
      expect((await put(peer, second.id, { roles: ['user'] })).status).toBe(200);
    });

    it('is not a disabled user with the role, who may lose it', async () => {
      const second = await app.createUser(['admin']);
      await app.as(app.admin, 'patch', `/api/users/${second.id}`).send({ status: 'disabled' }).expect(200);
      expect((await put(app.admin, second.id, { roles: ['user'] })).status).toBe(200);
    });
  });
});
