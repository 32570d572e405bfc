import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Response } from 'supertest';
import { expectEnvelope } from '../../support/http/envelope.js';
import { age, HELD_SECONDS } from '../../support/builders/guesses.js';
import { bearer, send } from '../../support/http/send.js';
import {
  claimsOf,
  expectPair,
  logIn,
  type Pair,
  presentRefresh,
  refreshed,
  statusOf,
  whileChanging,
} from '../../support/builders/sessions.js';
import { type TestUser, PASSWORD, TestApp } from '../../support/app/test-app.js';
import { read } from '../../support/builders/users.js';

const BETTER = 'a better horse battery';

describe('PUT /api/auth/password', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await TestApp.create();
  });
  afterAll(() => app.close());

  const change = (token: string, body: object) =>
    app.request('put', '/api/auth/password').auth(token, { type: 'bearer' }).send(body);
  const toBetter = { current_password: PASSWORD, new_password: BETTER };
  const login = (user: TestUser, password: string) =>
    app.request('post', '/api/auth/login').send({ email: user.email, password });
  const sessionsOf = (user: TestUser) =>
    app.database.query<{ id: string }>('SELECT id FROM sessions WHERE user_id = $1', [user.id]);

  it('returns a new pair for a new session, and revokes every earlier token of the user', async () => {
    const user = await app.createUser();
    const before = await read(app, user.id);
    const earlier = [await logIn(app.url, user.email), await logIn(app.url, user.email)];
    const [first] = earlier as [Pair, Pair];
    earlier.push(await refreshed(app.url, first.refresh_token));
    for (const { access_token: token } of earlier) expect(await statusOf(app.url, token)).toBe(200);

    const answer = await change(first.access_token, toBetter);
    expectPair(answer);
    const pair = answer.body as Pair;
    const { sid } = claimsOf(pair.access_token);
    expect(claimsOf(pair.refresh_token).sid).toBe(sid);
    expect(await sessionsOf(user)).toEqual([{ id: sid }]);

    for (const token of [user.token, ...earlier.map((each) => each.access_token)]) {
      expect(await statusOf(app.url, token)).toBe(401);
    }
    for (const each of earlier) {
      expect((await presentRefresh(app.url, each.refresh_token)).status).toBe(401);
    }
    expect(await statusOf(app.url, pair.access_token)).toBe(200);
    expect(await statusOf(app.url, (await refreshed(app.url, pair.refresh_token)).access_token)).toBe(200);
    expect((await login(user, PASSWORD)).status).toBe(401);
    expect((await login(user, BETTER)).status).toBe(200);

    const after = await read(app, user.id);
    expect(after.version).toBe(before.version + 1);
    expect(after.updated_at > before.updated_at).toBe(true);
  });

  it('does not affect other users', async () => {
    const [user, other] = [await app.createUser(), await app.createUser()];
    await change(user.token, toBetter).expect(200);
    expect(await statusOf(app.url, other.token)).toBe(200);
  });

  it('returns 400 for a wrong current password and changes nothing', async () => {
    const user = await app.createUser();
    const before = await read(app, user.id);
    const answer = await change(user.token, { ...toBetter, current_password: 'not the right one' });
    expect(answer.status).toBe(400);
    expect(answer.body).toMatchObject({
      error: { code: 'VALIDATION_ERROR', details: [{ field: 'current_password' }] },
    });
    expect(await statusOf(app.url, user.token)).toBe(200);
    expect((await login(user, PASSWORD)).status).toBe(200);
    expect((await read(app, user.id)).version).toBe(before.version);
  });

  it.each([
    ['short', 'seven 7'],
    ['long', 'x'.repeat(129)],
    ['common', 'password123'],
    ['much like a common one', 'Summer2024!'],
    ['like the current one', PASSWORD],
    ['like the address', 'my-somebody-words'],
    ['like the product', 'the Gatehouse is open'],
    ['full of control characters', 'correct\u0007horse battery'],
  ])('rejects a new password that is too %s', async (_, password) => {
    const user = await app.createUser();
    const answer = await change(user.token, { ...toBetter, new_password: password });
    expect(answer.status).toBe(400);
    expect(answer.body).toMatchObject({
      error: {
        code: 'VALIDATION_ERROR',
        details: [{ field: 'new_password', message: expect.stringMatching(/^new_password must /) }],
      },
    });
    expect(await statusOf(app.url, user.token)).toBe(200);
  });

  it.each([
    ['nothing', {}],
    ['no current password', { new_password: BETTER }],
    ['no new password', { current_password: PASSWORD }],
    ['another property', { ...toBetter, id: 'x' }],
  ])('rejects %s', async (_, body) => {
    expect((await change(app.admin.token, body)).status).toBe(400);
  });

  it('requires a session', async () => {
    const answer = await app.request('put', '/api/auth/password').send(toBetter);
    expect([answer.status, answer.get('WWW-Authenticate')]).toEqual([401, 'Bearer']);
  });

  it('lets one of two concurrent changes win', async () => {
    const user = await app.createUser();
    const wanted = ['one horse battery staple', 'two horse battery staple'];
    const answers = await whileChanging(
      app.database,
      { sql: 'SELECT 1 FROM users WHERE id = $1 FOR UPDATE', values: [user.id] },
      {
        start: () => wanted.map((password) => change(user.token, { ...toBetter, new_password: password })),
      },
    );
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 409]);
    const won = answers.findIndex(({ status }) => status === 200);
    const { sid } = claimsOf(((answers[won] as Response).body as Pair).access_token);
    expect(await sessionsOf(user)).toEqual([{ id: sid }]);
    const signIns = await Promise.all(wanted.map((password) => login(user, password)));
    expect(signIns.map(({ status }) => status)).toEqual(won === 0 ? [200, 401] : [401, 200]);
  });

  it('starts no session for a user who was disabled meanwhile, and keeps the password', async () => {
    const user = await app.createUser();
    const [answer] = await whileChanging(
      app.database,
      { sql: 'UPDATE users SET disabled = true WHERE id = $1', values: [user.id] },
      { start: () => [change(user.token, toBetter)] },
    );
    expect(answer?.status).toBe(401);
    await app.database.query('UPDATE users SET disabled = false WHERE id = $1', [user.id]);
    expect((await login(user, PASSWORD)).status).toBe(200);
  });
});

describe('a sign-in concurrent with a change of its user', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await TestApp.create();
  });
  afterAll(() => app.close());

  it.each([
    ['is disabled', 'UPDATE users SET disabled = true WHERE id = $1'],
    ['is deleted', 'UPDATE users SET deleted_at = now() WHERE id = $1'],
    [
      'gets a new password',
      `UPDATE users SET password_hash = (SELECT password_hash FROM users WHERE 'admin' = ANY (roles)) WHERE id = $1`,
    ],
  ])('is refused when the user %s during the password check, and starts no session', async (_, sql) => {
    const { id, email } = await app.createUser();
    const before = await app.database.query('SELECT id FROM sessions WHERE user_id = $1', [id]);
    const [answer] = await whileChanging(
      app.database,
      { sql, values: [id] },
      { start: () => [app.request('post', '/api/auth/login').send({ email, password: PASSWORD })] },
    );
    expect(answer?.status).toBe(401);
    expect(await app.database.query('SELECT id FROM sessions WHERE user_id = $1', [id])).toEqual(before);
  });

  it('succeeds when the user is only renamed', async () => {
    const { id, email } = await app.createUser();
    const [answer] = await whileChanging(
      app.database,
      { sql: `UPDATE users SET name = 'Renamed' WHERE id = $1`, values: [id] },
      { start: () => [app.request('post', '/api/auth/login').send({ email, password: PASSWORD })] },
    );
    expect(answer?.status).toBe(200);
  });

  it('is slowed down by wrong passwords, like a sign-in', async () => {
    const user = await app.createUser();
    const attempt = (current_password: string) =>
      send(app.url, {
        method: 'PUT',
        path: '/api/auth/password',
        headers: bearer(user),
        body: { current_password, new_password: BETTER },
      });
    for (let i = 0; i < 10; i++) expectEnvelope(await attempt('not the right one'), 'VALIDATION_ERROR');
    await age(app, -HELD_SECONDS);
    expectEnvelope(await attempt('not the right one'), 'RATE_LIMITED');
    const right = await attempt(PASSWORD);
    expectEnvelope(right, 'RATE_LIMITED');
    await age(app, Number(right.headers['retry-after']));
    expect((await attempt(PASSWORD)).status).toBe(200);
  });
});
