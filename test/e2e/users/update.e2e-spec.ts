import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { permissions } from '../../../src/modules/permissions.js';
import { tagOf } from '../../support/http/entity-tags.js';
import { type TestUser, PASSWORD, signIn, TestApp } from '../../support/app/test-app.js';
import { createUserWith, NOBODY, read, type UserBody } from '../../support/builders/users.js';

describe('PATCH /api/users/{id} and /api/users/me', () => {
  let app: TestApp;
  let writer: TestUser;
  beforeAll(async () => {
    app = await TestApp.create();
    writer = await createUserWith(app, ['users:write']);
  });
  afterAll(() => app.close());

  const patch = (caller: TestUser, id: string, body: object) =>
    app.as(caller, 'patch', `/api/users/${id}`).send(body);

  it('renames in the next version and returns the updated user with the ETag', async () => {
    const { id } = await app.createUser();
    const before = await read(app, id);
    const answer = await patch(writer, id, { name: 'Ada King' });
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual({
      ...before,
      name: 'Ada King',
      version: before.version + 1,
      updated_at: (answer.body as UserBody).updated_at,
    });
    expect((answer.body as UserBody).updated_at > before.updated_at).toBe(true);
    expect(answer.get('ETag')).toBe(tagOf({ ...before, version: before.version + 1 }));
    expect(answer.get('Cache-Control')).toBe('no-store');
    expect(await read(app, id)).toEqual(answer.body);
  });

  it('raises the version by one per change, and not at all without a change', async () => {
    const { id } = await app.createUser(['user'], 'Same');
    const before = await read(app, id);
    for (const body of [{}, { name: 'Same' }, { status: 'active' }, { name: 'Same', status: 'active' }]) {
      const answer = await patch(writer, id, body);
      expect(answer.status).toBe(200);
      expect(answer.body).toEqual(before);
    }
    expect((await patch(writer, id, { name: 'Other', status: 'disabled' })).body).toMatchObject({
      name: 'Other',
      status: 'disabled',
      version: before.version + 2,
    });
  });

  it.each([
    ['email', { email: 'new@example.com' }],
    ['roles', { roles: ['admin'] }],
    ['version', { version: 9 }],
    ['password', { password: PASSWORD }],
    ['status', { status: 'deleted' }],
    ['status', { status: null }],
    ['name', { name: null }],
    ['name', { name: '' }],
    ['name', { name: 'x'.repeat(101) }],
    ['name', { name: 'two\nlines' }],
  ])('refuses %s as %j and changes nothing', async (field, body) => {
    const { id } = writer;
    const before = await read(app, id);
    const answer = await patch(app.admin, id, { name: 'Not this', ...body });
    expect(answer.status).toBe(400);
    expect(answer.body).toMatchObject({ error: { code: 'VALIDATION_ERROR', details: [{ field }] } });
    expect(await read(app, id)).toEqual(before);
  });

  it('requires users:write and returns 403 to others first, also for their own id', async () => {
    const user = await app.createUser();
    const others = [user, await createUserWith(app, ['users:read', 'users:delete', 'roles:grant'])];
    for (const caller of others) {
      for (const id of [user.id, NOBODY, 'not-an-id']) {
        const answer = await patch(caller, id, { nonsense: true }).set('If-Match', '"77"');
        expect([id, answer.status]).toEqual([id, 403]);
        expect(answer.body).toMatchObject({ error: { code: 'FORBIDDEN' } });
      }
    }
    const missing = await app.request('patch', `/api/users/${user.id}`).send({ name: 'X' });
    expect(missing.status).toBe(401);
    expect(missing.get('WWW-Authenticate')).toBe('Bearer');
  });

  it('returns 404 for an unknown user and 400 for an invalid id', async () => {
    expect((await patch(writer, NOBODY, { name: 'X' })).status).toBe(404);
    expect((await patch(writer, 'not-an-id', { name: 'X' })).status).toBe(400);
  });

  it('returns 404 for a deleted user, and 409 to callers who may restore the user', async () => {
    const { id } = await app.createUser();
    await app.as(app.admin, 'delete', `/api/users/${id}`).expect(204);
    expect((await patch(writer, id, { name: 'X' })).status).toBe(404);
    const answer = await patch(app.admin, id, { name: 'X' });
    expect(answer.status).toBe(409);
    expect(answer.body).toMatchObject({ error: { code: 'CONFLICT' } });
  });

  describe('me', () => {
    it('renames the caller and changes nothing else', async () => {
      const user = await app.createUser();
      const answer = await patch(user, 'me', { name: '  My Self ' });
      expect(answer.status).toBe(200);
      expect(answer.body).toMatchObject({ id: user.id, name: 'My Self', version: 2 });
      expect(answer.get('ETag')).toBe(tagOf({ id: user.id, version: 2 }));
      for (const body of [{ status: 'disabled' }, { email: 'x@example.com' }, { roles: ['admin'] }]) {
        expect((await patch(user, 'me', body)).status).toBe(400);
      }
      expect(
        (await patch(user, 'me', { name: 'X' }).set('If-Match', tagOf({ ...user, version: 1 }))).status,
      ).toBe(412);
      expect((await app.request('patch', '/api/users/me').send({ name: 'X' })).status).toBe(401);
    });
  });

  describe('with If-Match', () => {
    let id: string;
    beforeAll(async () => {
      ({ id } = await app.createUser());
    });
    const conditional = (condition: string, body: object) =>
      patch(writer, id, body).set('If-Match', condition);
    const currentTag = async () => tagOf(await read(app, id));

    it('changes the version named alone, in a list, or by a wildcard', async () => {
      for (const [i, wrap] of [
        (tag: string) => tag,
        (tag: string) => `"77", ${tag}`,
        (tag: string) => `"x",${tag}`,
        () => '*',
      ].entries()) {
        const tag = await currentTag();
        const answer = await conditional(wrap(tag), { name: `Version ${i}` });
        expect([wrap(tag), answer.status]).toEqual([wrap(tag), 200]);
        expect(answer.get('ETag')).toBe(await currentTag());
      }
    });

    it('returns 412 with the current ETag for any other version and changes nothing', async () => {
      const tag = await currentTag();
      const before = await read(app, id);
      for (const condition of [
        tagOf({ id, version: 1 }),
        '"5"',
        `W/${tag}`,
        tag.replaceAll('"', ''),
        '"x", "y"',
        '""',
      ]) {
        const answer = await conditional(condition, { name: 'Lost update' });
        expect([condition, answer.status]).toEqual([condition, 412]);
        expect(answer.body).toMatchObject({ error: { code: 'PRECONDITION_FAILED' } });
        expect(answer.get('ETag')).toBe(tag);
      }
      expect(await read(app, id)).toEqual(before);
    });

    it('judges the body before the condition, and the condition before the state', async () => {
      expect((await conditional('"77"', { name: '' })).status).toBe(400);
      const gone = await app.createUser();
      await app.as(app.admin, 'delete', `/api/users/${gone.id}`).expect(204);
      expect((await patch(app.admin, gone.id, { name: 'X' }).set('If-Match', '"77"')).status).toBe(412);
    });

    it('lets one of twenty concurrent changes to the same version win', async () => {
      const tag = await currentTag();
      const { version } = await read(app, id);
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, i) => conditional(tag, { name: `Racer ${i}` })),
      );
      const won = answers.filter(({ status }) => status === 200);
      expect(won).toHaveLength(1);
      expect(answers.filter(({ status }) => status === 412)).toHaveLength(19);
      for (const { status, headers } of answers) {
        if (status === 412) expect(headers).toMatchObject({ etag: tagOf({ id, version: version + 1 }) });
      }
      expect(await read(app, id)).toEqual(won[0]?.body);
    });
  });

  describe('status', () => {
    it("disabled rejects the user's tokens and sign-in at once, and active allows them again", async () => {
      const user = await app.createUser();
      expect((await patch(writer, user.id, { status: 'disabled' })).body).toMatchObject({
        status: 'disabled',
        version: 2,
      });
      for (const path of ['/api/users/me', `/api/users/${user.id}`, '/api/roles']) {
        const refused = await app.as(user, 'get', path);
        expect(refused.status).toBe(401);
        expect(refused.get('WWW-Authenticate')).toBe('Bearer error="invalid_token"');
      }
      const credentials = { email: user.email, password: PASSWORD };
      expect((await app.request('post', '/api/auth/login').send(credentials)).status).toBe(401);
      expect((await patch(writer, user.id, { status: 'active' })).body).toMatchObject({
        status: 'active',
        version: 3,
      });
      await signIn(app.url, user.email, PASSWORD);
    });

    it('disabled is refused for the last active admin, who stays active', async () => {
      const { id } = app.admin;
      const peer = await createUserWith(app, permissions);
      const before = await read(app, id);
      for (const caller of [app.admin, peer]) {
        const answer = await patch(caller, id, { status: 'disabled', name: 'Not this either' });
        expect(answer.status).toBe(409);
        expect(answer.body).toMatchObject({ error: { code: 'CONFLICT' } });
      }
      expect(await read(app, id)).toEqual(before);
      expect((await patch(peer, id, { name: 'Renamed Admin' })).status).toBe(200);
    });

    it('disabled is refused for the last active admin when the others are disabled or deleted', async () => {
      const peer = await createUserWith(app, permissions);
      const second = await app.createUser(['admin']);
      const third = await app.createUser(['admin']);
      expect((await patch(peer, second.id, { status: 'disabled' })).status).toBe(200);
      await app.as(app.admin, 'delete', `/api/users/${third.id}`).expect(204);
      expect((await patch(peer, app.admin.id, { status: 'disabled' })).status).toBe(409);
      expect((await patch(peer, second.id, { status: 'active' })).status).toBe(200);
      expect((await patch(peer, app.admin.id, { status: 'disabled' })).status).toBe(200);
      expect((await patch(peer, app.admin.id, { status: 'active' })).status).toBe(200);
    });
  });
});
