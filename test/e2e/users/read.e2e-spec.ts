import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { tagOf } from '../../support/http/entity-tags.js';
import { type TestUser, PASSWORD, signIn, TestApp } from '../../support/app/test-app.js';
import { until } from '../../support/app/until.js';
import {
  createUserWith,
  NOBODY,
  read,
  type UserBody,
  withoutRequestId,
} from '../../support/builders/users.js';

describe('GET /api/users/{id} and /api/users/me', () => {
  let app: TestApp;
  let user: TestUser;
  let auditor: TestUser;
  beforeAll(async () => {
    app = await TestApp.create();
    user = await app.createUser();
    auditor = await app.createUser(['auditor']);
  });
  afterAll(() => app.close());

  const get = (caller: TestUser, id: string) => app.as(caller, 'get', `/api/users/${id}`);

  it('returns the user to the user, by id and as me, and to callers with users:read', async () => {
    const expected = await read(app, user.id);
    expect(expected).toMatchObject({ id: user.id, email: user.email, status: 'active' });
    for (const [caller, id] of [
      [user, user.id],
      [user, user.id.toUpperCase()],
      [user, 'me'],
      [auditor, user.id],
    ] as const) {
      const answer = await get(caller, id);
      expect(answer.status).toBe(200);
      expect(answer.body).toEqual(expected);
    }
    expect((await get(auditor, 'me')).body).toMatchObject({ id: auditor.id });
  });

  it('requires sign-in, with the right challenge for a missing and for a bad token', async () => {
    for (const path of ['/api/users/me', `/api/users/${user.id}`, `/api/users/${NOBODY}`]) {
      const missing = await app.request('get', path);
      expect(missing.status).toBe(401);
      expect(missing.get('WWW-Authenticate')).toBe('Bearer');
      expect(missing.body).toMatchObject({ error: { code: 'UNAUTHORIZED' } });
      const bad = await app.request('get', path).set('Authorization', 'Bearer x.y.z');
      expect(bad.status).toBe(401);
      expect(bad.get('WWW-Authenticate')).toBe('Bearer error="invalid_token"');
    }
  });

  it("returns the same bytes for another user's id, an unknown id and an invalid id", async () => {
    const other = await app.createUser();
    const answers = [];
    for (const id of [other.id, app.admin.id, NOBODY, 'not-an-id']) answers.push(await get(user, id));
    for (const answer of answers) {
      expect(answer.status).toBe(404);
      expect(withoutRequestId(answer)).toBe(withoutRequestId(answers[0] ?? answer));
      expect(Object.keys(answer.headers).toSorted()).toEqual(
        Object.keys(answers[0]?.headers ?? {}).toSorted(),
      );
    }
    expect(answers[0]?.body).toMatchObject({ error: { code: 'NOT_FOUND' } });
  });

  it('distinguishes an unknown user (404) from an invalid id (400) for users:read', async () => {
    expect((await get(auditor, NOBODY)).status).toBe(404);
    expect((await get(auditor, 'not-an-id')).status).toBe(400);
  });

  it('accepts no parameters', async () => {
    expect((await get(user, `${user.id}?fields=email`)).status).toBe(400);
    expect((await get(user, 'me?a=1')).status).toBe(400);
  });

  it('returns a deleted user only with users:delete', async () => {
    const gone = await app.createUser();
    await app.as(gone, 'delete', `/api/users/${gone.id}`).expect(204);
    const hidden = await get(auditor, gone.id);
    expect(hidden.status).toBe(404);
    expect(withoutRequestId(hidden)).toBe(withoutRequestId(await get(auditor, NOBODY)));
    const deleter = await createUserWith(app, ['users:read', 'users:delete']);
    expect((await get(deleter, gone.id)).body).toMatchObject({ id: gone.id, status: 'deleted' });
  });

  it('returns the last sign-in, which changes neither version, ETag nor updated_at', async () => {
    const { id, email } = (
      await app
        .request('post', '/api/users')
        .send({ email: 'fresh@example.com', password: PASSWORD, name: 'Fresh' })
    ).body as UserBody;
    const before = await get(app.admin, id);
    expect((before.body as UserBody).last_login_at).toBeNull();
    const fresh = await signIn(app.url, email, PASSWORD);
    // The contract allows this delay.
    let after = before;
    await until(async () => {
      after = await get(fresh, 'me');
      return (after.body as UserBody).last_login_at !== null;
    }, 5000);
    const { last_login_at: at } = after.body as UserBody;
    expect(at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    expect(after.body).toEqual({ ...(before.body as UserBody), last_login_at: at });
    expect(after.get('ETag')).toBe(before.get('ETag'));
  });

  describe('as a conditional request', () => {
    let etag: string;
    beforeAll(async () => {
      etag = (await get(user, 'me')).get('ETag') ?? '';
    });
    const conditional = (condition: string, id = user.id) => get(user, id).set('If-None-Match', condition);

    it("carries a strong ETag of the version, and lets only the caller's cache keep the response", async () => {
      const answer = await get(user, user.id);
      expect(answer.get('ETag')).toBe(tagOf(answer.body as UserBody));
      expect(answer.get('Cache-Control')).toBe('private, no-cache');
      expect(answer.get('Vary')).toContain('Authorization');
    });

    it('returns 304 without a body for the current version', async () => {
      for (const condition of [etag, `W/${etag}`, '*', `"77", ${etag}`, `"x","y" , W/${etag}`]) {
        for (const id of ['me', user.id]) {
          const answer = await conditional(condition, id);
          expect([condition, answer.status, answer.text]).toEqual([condition, 304, '']);
          expect(answer.get('ETag')).toBe(etag);
          expect(answer.get('Cache-Control')).toBe('private, no-cache');
        }
      }
    });

    it('returns 200 for another version or a malformed one', async () => {
      for (const condition of ['"77"', 'W/"77"', etag.replaceAll('"', ''), `w/${etag}`, '""']) {
        expect([condition, (await conditional(condition)).status]).toEqual([condition, 200]);
      }
    });

    it('returns 200 again after any change of the user', async () => {
      await app.as(app.admin, 'patch', `/api/users/${user.id}`).send({ name: 'Changed' }).expect(200);
      const answer = await conditional(etag);
      expect(answer.status).toBe(200);
      expect(answer.get('ETag')).not.toBe(etag);
    });

    it("does not reveal another user's version by a 304", async () => {
      const other = await app.createUser();
      expect((await get(user, other.id).set('If-None-Match', '*')).status).toBe(404);
    });
  });
});
