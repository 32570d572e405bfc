import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Response } from 'supertest';
import { PASSWORD, TestApp } from '../../support/app/test-app.js';
import { withoutRequestId } from '../../support/builders/users.js';

describe('POST /api/auth/login', () => {
  let app: TestApp;
  let email: string;
  let disabled: string;
  let deleted: string;
  beforeAll(async () => {
    app = await TestApp.create();
    ({ email } = await app.createUser());
    const users = [await app.createUser(), await app.createUser()] as const;
    await app.as(app.admin, 'patch', `/api/users/${users[0].id}`).send({ status: 'disabled' }).expect(200);
    await app.as(app.admin, 'delete', `/api/users/${users[1].id}`).expect(204);
    disabled = users[0].email;
    deleted = users[1].email;
  });
  afterAll(() => app.close());

  const login = (body: object): Promise<Response> => app.request('post', '/api/auth/login').send(body);

  it('returns 200 with a bearer token and its lifetime in seconds, and forbids caching', async () => {
    const answer = await login({ email, password: PASSWORD });
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual({
      access_token: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/),
      refresh_token: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/),
      token_type: 'Bearer',
      expires_in: 900,
    });
    expect(answer.get('Cache-Control')).toBe('no-store, no-transform');
    const { access_token: token } = answer.body as { access_token: string };
    const me = await app.request('get', '/api/users/me').set('Authorization', `Bearer ${token}`);
    expect(me.body).toMatchObject({ email });
  });

  it('issues a different token for each sign-in', async () => {
    const tokens = await Promise.all([1, 2, 3].map(() => login({ email, password: PASSWORD })));
    const distinct = new Set(tokens.map(({ body }) => (body as { access_token: string }).access_token));
    expect(distinct.size).toBe(3);
  });

  it('finds the user by any spelling of the address', async () => {
    for (const spelling of [
      email.toUpperCase(),
      `  ${email} `,
      email.replace('somebody', 'ｓｏｍｅｂｏｄｙ'),
    ]) {
      expect([spelling, (await login({ email: spelling, password: PASSWORD })).status]).toEqual([
        spelling,
        200,
      ]);
    }
  });

  it('ignores an invalid token in the request', async () => {
    const answer = await app
      .request('post', '/api/auth/login')
      .set('Authorization', 'Bearer expired.long.ago')
      .send({ email, password: PASSWORD });
    expect(answer.status).toBe(200);
  });

  it('sends identical responses for every kind of failed sign-in', async () => {
    const wrong: Record<string, object> = {
      'a wrong password': { email, password: 'not the right one' },
      'an unknown address': { email: 'nobody@example.com', password: PASSWORD },
      'a disabled user': { email: disabled, password: PASSWORD },
      'a disabled user with a wrong password': { email: disabled, password: 'not the right one' },
      'a deleted user': { email: deleted, password: PASSWORD },
      'a malformed address': { email: 'not an address', password: PASSWORD },
      'an address that is too long': { email: `${'x'.repeat(300)}@example.com`, password: PASSWORD },
      'a password that nobody could have chosen': { email, password: 'x' },
      'the hash instead of the password': { email, password: '$argon2id$v=19$m=19456,t=2,p=1$AAAA$AAAA' },
    };
    const first = await login({ email, password: 'also not the right one' });
    expect(first.status).toBe(401);
    expect(first.body).toMatchObject({ error: { code: 'UNAUTHORIZED' } });
    expect(first.get('WWW-Authenticate')).toBe('Bearer');
    const comparable = ({ headers }: Response) => ({
      ...(headers as Record<string, string>),
      'x-request-id': '',
      date: '',
    });
    for (const [way, body] of Object.entries(wrong)) {
      const answer = await login(body);
      expect([way, answer.status, withoutRequestId(answer)]).toEqual([way, 401, withoutRequestId(first)]);
      expect([way, comparable(answer)]).toEqual([way, comparable(first)]);
    }
  });

  it('spends the same time, one password hash of equal cost, on every kind of failed sign-in', async () => {
    const ownHashes = async (): Promise<number> => {
      const { text } = await app.request('get', '/metrics');
      return Number(/^gatehouse_password_queue_wait_seconds_count\{lane="own".*? (\d+)$/m.exec(text)?.[1]);
    };
    for (const [way, body] of Object.entries({
      'a wrong password': { email, password: 'not the right one' },
      'an unknown address': { email: 'nobody@example.com', password: PASSWORD },
      'a malformed address': { email: 'not an address', password: PASSWORD },
      'an address that is too long': { email: `${'x'.repeat(300)}@example.com`, password: PASSWORD },
      'a disabled user': { email: disabled, password: PASSWORD },
      'a deleted user': { email: deleted, password: PASSWORD },
      'a password that nobody could have chosen': { email: 'nobody@example.com', password: 'x' },
    })) {
      const before = await ownHashes();
      expect((await login(body)).status).toBe(401);
      expect([way, (await ownHashes()) - before]).toEqual([way, 1]);
    }
  });

  it.each([
    ['no address', { password: PASSWORD }],
    ['no password', { email: 'nobody@example.com' }],
    ['an empty password', { email: 'nobody@example.com', password: '' }],
    ['an object as the password', { email: 'nobody@example.com', password: { $ne: '' } }],
    ['a list of addresses', { email: ['nobody@example.com'], password: PASSWORD }],
    ['another property', { email: 'nobody@example.com', password: PASSWORD, roles: ['admin'] }],
    ['U+0000', { email: 'nobody@example.com', password: 'correct\u0000horse' }],
    ['an overlong password', { email: 'nobody@example.com', password: 'x'.repeat(10_000) }],
  ])('rejects %s', async (_, body) => {
    const answer = await login(body);
    expect(answer.status).toBe(400);
    expect(answer.body).toMatchObject({ error: { code: 'VALIDATION_ERROR' } });
  });
});
