import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { permissions } from '../../../src/modules/permissions.js';
import { tagOf } from '../../support/http/entity-tags.js';
import { type TestUser, ADMIN, PASSWORD, signIn, TestApp } from '../../support/app/test-app.js';
import {
  createUserWith,
  NOBODY,
  read,
  type UserBody,
  withoutRequestId,
} from '../../support/builders/users.js';

describe('deletion and restoration of a user', () => {
  let app: TestApp;
  let deleter: TestUser;
  beforeAll(async () => {
    app = await TestApp.create();
    deleter = await createUserWith(app, ['users:delete']);
  });
  afterAll(() => app.close());

  const remove = (caller: TestUser, id: string) => app.as(caller, 'delete', `/api/users/${id}`);
  const restore = (caller: TestUser, id: string) => app.as(caller, 'post', `/api/users/${id}/restore`);

  describe('DELETE /api/users/{id}', () => {
    it('deletes the caller, or any user with users:delete: 204 without a body, in the next version', async () => {
      for (const byItself of [true, false]) {
        const user = await app.createUser();
        const before = await read(app, user.id);
        const answer = await remove(byItself ? user : deleter, user.id);
        expect([answer.status, answer.text]).toEqual([204, '']);
        const after = await read(app, user.id);
        const { updated_at } = after;
        expect(after).toEqual({ ...before, status: 'deleted', version: before.version + 1, updated_at });
      }
    });

    it("rejects the user's tokens and sign-in at once", async () => {
      const user = await app.createUser();
      await remove(user, user.id).expect(204);
      for (const method of ['get', 'delete'] as const) {
        const refused = await app.as(user, method, `/api/users/${user.id}`);
        expect(refused.status).toBe(401);
        expect(refused.get('WWW-Authenticate')).toBe('Bearer error="invalid_token"');
      }
      const credentials = { email: user.email, password: PASSWORD };
      expect((await app.request('post', '/api/auth/login').send(credentials)).status).toBe(401);
    });

    it("returns the same bytes to an ordinary user for another user's id and for an unknown id", async () => {
      const [user, other] = [await app.createUser(), await app.createUser()];
      const answers = [];
      for (const id of [other.id, NOBODY, 'not-an-id']) answers.push(await remove(user, id));
      for (const answer of answers) {
        expect(answer.status).toBe(404);
        expect(withoutRequestId(answer)).toBe(withoutRequestId(answers[0] ?? answer));
      }
      expect(await read(app, other.id)).toMatchObject({ status: 'active' });
      const missing = await app.request('delete', `/api/users/${other.id}`);
      expect([missing.status, missing.get('WWW-Authenticate')]).toEqual([401, 'Bearer']);
    });

    it('is refused with other permissions', async () => {
      const other = await app.createUser();
      const writer = await createUserWith(app, ['users:read', 'users:write', 'roles:grant']);
      expect((await remove(writer, other.id)).status).toBe(404);
    });

    it('returns 404 for an unknown user, 400 for an invalid id, and 204 for a repeated deletion', async () => {
      expect((await remove(deleter, NOBODY)).status).toBe(404);
      expect((await remove(deleter, 'not-an-id')).status).toBe(400);
      const { id } = await app.createUser();
      await remove(deleter, id).expect(204);
      const before = await read(app, id);
      expect((await remove(deleter, id)).status).toBe(204);
      expect(await read(app, id)).toEqual(before);
    });

    it('deletes the version named by If-Match, and returns 412 with the ETag for any other', async () => {
      const user = await app.createUser();
      for (const condition of ['"77"', 'W/"1"']) {
        const answer = await remove(user, user.id).set('If-Match', condition);
        expect(answer.status).toBe(412);
        expect(answer.get('ETag')).toBe(tagOf({ ...user, version: 1 }));
      }
      expect((await remove(user, user.id).set('If-Match', tagOf({ ...user, version: 1 }))).status).toBe(204);
    });

    it('is refused for the last active admin, by that admin or by others, until another admin exists', async () => {
      const { id } = app.admin;
      // The peer holds every permission of an admin. Otherwise the request would be refused with 403.
      const peer = await createUserWith(app, permissions);
      const before = await read(app, id);
      for (const caller of [app.admin, peer]) {
        const answer = await remove(caller, id);
        expect(answer.status).toBe(409);
        expect(answer.body).toMatchObject({ error: { code: 'CONFLICT' } });
      }
      expect(await read(app, id)).toEqual(before);
      const second = await app.createUser(['admin']);
      await app.as(app.admin, 'patch', `/api/users/${second.id}`).send({ status: 'disabled' }).expect(200);
      expect((await remove(peer, id)).status).toBe(409);
      await app.as(app.admin, 'patch', `/api/users/${second.id}`).send({ status: 'active' }).expect(200);
      expect((await remove(peer, id)).status).toBe(204);
      // Disabling ended the session of the second admin, and deleting that of the first.
      await restore(await signIn(app.url, second.email, PASSWORD), id).expect(200);
      Object.assign(app.admin, await signIn(app.url, ADMIN.email, ADMIN.password));
      expect((await remove(app.admin, second.id)).status).toBe(204);
    });
  });

  describe('POST /api/users/{id}/restore', () => {
    it('restores the user completely in the next version, and the user can sign in again', async () => {
      const user = await app.createUser(['user', 'premium'], 'Comes Back');
      const before = await read(app, user.id);
      await remove(user, user.id).expect(204);
      const answer = await restore(deleter, user.id);
      expect(answer.status).toBe(200);
      const { updated_at } = answer.body as UserBody;
      expect(answer.body).toEqual({ ...before, version: before.version + 2, updated_at });
      expect(answer.get('ETag')).toBe(tagOf({ ...before, version: before.version + 2 }));
      expect(await read(app, user.id)).toEqual(answer.body);
      await signIn(app.url, user.email, PASSWORD);
    });

    it('restores a disabled user as disabled', async () => {
      const { id, email } = await app.createUser();
      await app.as(app.admin, 'patch', `/api/users/${id}`).send({ status: 'disabled' }).expect(200);
      await remove(deleter, id).expect(204);
      expect(await read(app, id)).toMatchObject({ status: 'deleted' });
      expect((await restore(deleter, id)).body).toMatchObject({ status: 'disabled' });
      const answer = await app.request('post', '/api/auth/login').send({ email, password: PASSWORD });
      expect(answer.status).toBe(401);
    });

    it('returns 409 for a user who is not deleted, and changes nothing', async () => {
      const { id } = await app.createUser();
      for (const status of ['active', 'disabled']) {
        await app.as(app.admin, 'patch', `/api/users/${id}`).send({ status }).expect(200);
        const before = await read(app, id);
        const answer = await restore(deleter, id);
        expect(answer.status).toBe(409);
        expect(answer.body).toMatchObject({ error: { code: 'CONFLICT' } });
        expect(await read(app, id)).toEqual(before);
      }
    });

    it('is possible for 30 days and no longer', async () => {
      const { id } = await app.createUser();
      await remove(deleter, id).expect(204);
      const age = (interval: string) =>
        app.database.query(
          `UPDATE users SET deleted_at = clock_timestamp() - $2::interval WHERE id = $1 RETURNING id`,
          [id, interval],
        );
      await age('30 days 1 minute');
      const answer = await restore(deleter, id);
      expect(answer.status).toBe(409);
      expect(answer.body).toMatchObject({ error: { code: 'CONFLICT' } });
      expect(await read(app, id)).toMatchObject({ status: 'deleted' });
      await age('29 days 23 hours 59 minutes');
      expect((await restore(deleter, id)).status).toBe(200);
    });

    it('requires users:delete and returns 403 to others, also for an unknown user', async () => {
      const gone = await app.createUser();
      await remove(gone, gone.id).expect(204);
      const user = await app.createUser();
      const writer = await createUserWith(app, ['users:read', 'users:write', 'roles:grant']);
      for (const caller of [user, writer]) {
        for (const id of [gone.id, user.id, NOBODY]) expect((await restore(caller, id)).status).toBe(403);
      }
      expect((await app.request('post', `/api/users/${gone.id}/restore`)).status).toBe(401);
      expect(await read(app, gone.id)).toMatchObject({ status: 'deleted' });
    });

    it('returns 404 for an unknown user and 400 for an invalid id, and accepts no body', async () => {
      expect((await restore(deleter, NOBODY)).status).toBe(404);
      expect((await restore(deleter, 'not-an-id')).status).toBe(400);
      const { id } = await app.createUser();
      await remove(deleter, id).expect(204);
      expect((await restore(deleter, id).send({ status: 'active' })).status).toBe(400);
      expect((await restore(deleter, id)).status).toBe(200);
    });

    it('restores once, however many requests arrive at once', async () => {
      const { id } = await app.createUser();
      await remove(deleter, id).expect(204);
      const { version } = await read(app, id);
      const statuses = (await Promise.all(Array.from({ length: 8 }, () => restore(deleter, id)))).map(
        ({ status }) => status,
      );
      expect(statuses.toSorted((a, b) => a - b)).toEqual([200, ...Array.from({ length: 7 }, () => 409)]);
      expect(await read(app, id)).toMatchObject({ status: 'active', version: version + 1 });
    });
  });
});
