import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { expectEnvelope } from '../../support/http/envelope.js';
import { bearer, send, type Sent } from '../../support/http/send.js';
import { type TestUser, PASSWORD, TestApp } from '../../support/app/test-app.js';
import { NOBODY } from '../../support/builders/users.js';

const MALFORMED = '{"name":';

/** Every path with the methods that it serves. */
const ROUTES: readonly (readonly [path: string, allow: string])[] = [
  ['/api/users', 'GET, HEAD, POST'],
  ['/api/users/me', 'DELETE, GET, HEAD, PATCH'],
  [`/api/users/${NOBODY}`, 'DELETE, GET, HEAD, PATCH'],
  [`/api/users/${NOBODY}/roles`, 'PUT'],
  [`/api/users/${NOBODY}/restore`, 'POST'],
  ['/api/roles', 'GET, HEAD'],
  ['/api/roles/support', 'DELETE, GET, HEAD, PUT'],
  ['/api/auth/login', 'POST'],
  ['/.well-known/jwks.json', 'GET, HEAD'],
  ['/health', 'GET, HEAD'],
  ['/health/live', 'GET, HEAD'],
  ['/health/ready', 'GET, HEAD'],
  ['/health/startup', 'GET, HEAD'],
  ['/metrics', 'GET, HEAD'],
  ['/openapi.json', 'GET, HEAD'],
];
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND', 'QUERY'];

describe('the order of checks', () => {
  let app: TestApp;
  let user: TestUser;
  let other: TestUser;
  beforeAll(async () => {
    app = await TestApp.create();
    user = await app.createUser();
    other = await app.createUser();
  });
  afterAll(() => app.close());

  const answerTo = (sent: Sent) => send(app.url, sent);
  const asUser = () => bearer(user);
  const asAdmin = () => bearer(app.admin);

  describe('404: a path that no route serves', () => {
    it.each([
      '/api/nothing',
      '/api/users/me/x.css',
      `/api/users/${NOBODY}/nothing`,
      '/users',
      '/API/users/me/none',
      '/.git/HEAD',
      '/.env',
      '/package.json',
      '/static/',
      '/api/users/../../etc/passwd',
      '/api//users//me',
      '/%2e%2e/%2e%2e/etc/passwd',
      '/health/live/x',
      '/docs/nothing.js',
      '/docs/..%2f..%2fpackage.json',
    ])('is returned for %s to any caller, for any method and body', async (path) => {
      for (const headers of [{}, asUser(), asAdmin(), { Authorization: 'Bearer nonsense' }]) {
        expectEnvelope(await answerTo({ path, headers }), 'NOT_FOUND');
        const malformed = { method: 'POST', path, headers, body: MALFORMED };
        expectEnvelope(await answerTo(malformed), 'NOT_FOUND');
      }
    });

    it('comes before an invalid query and an overlong body', async () => {
      expectEnvelope(await answerTo({ path: '/api/nothing?a=1&a=2' }), 'NOT_FOUND');
      const body = 'x'.repeat(200_000);
      expectEnvelope(await answerTo({ method: 'POST', path: '/api/nothing', body }), 'NOT_FOUND');
    });

    it.each(['OPTIONS', 'TRACE', 'PROPFIND', 'DELETE'])('comes before the method: %s', async (method) => {
      expectEnvelope(await answerTo({ method, path: '/api/nothing' }), 'NOT_FOUND');
    });
  });

  describe('405: a method that the path does not serve', () => {
    it.each(ROUTES)('is returned for %s with Allow: %s', async (path, allow) => {
      const served = new Set(allow.split(', '));
      for (const method of METHODS.filter((each) => !served.has(each))) {
        const answer = await answerTo({ method, path });
        expect({ method, allow: answer.headers.allow }).toEqual({ method, allow });
        if (method === 'HEAD') expect(answer).toMatchObject({ status: 405, text: '' });
        else expectEnvelope(answer, 'METHOD_NOT_ALLOWED');
      }
    });

    it('comes before a missing token, an invalid query and a malformed body', async () => {
      const sent = { method: 'PUT', path: '/api/users/me?a=1&a=2', body: MALFORMED };
      expectEnvelope(await answerTo(sent), 'METHOD_NOT_ALLOWED');
    });

    it('comes without an echo for TRACE', async () => {
      const answer = await answerTo({
        method: 'TRACE',
        path: '/api/users/me',
        headers: { 'X-Secret': 'echo' },
      });
      expect(answer.text).not.toContain('echo');
    });
  });

  describe('401: a missing or invalid token', () => {
    const CLOSED: readonly (readonly [string, string])[] = [
      ['GET', '/api/users'],
      ['GET', '/api/users/me'],
      ['PATCH', '/api/users/me'],
      ['GET', `/api/users/${NOBODY}`],
      ['PATCH', `/api/users/${NOBODY}`],
      ['DELETE', `/api/users/${NOBODY}`],
      ['PUT', `/api/users/${NOBODY}/roles`],
      ['POST', `/api/users/${NOBODY}/restore`],
      ['GET', '/api/roles'],
      ['PUT', '/api/roles/support'],
    ];
    it.each(CLOSED)(
      'is returned for %s %s with a challenge that tells a missing from an invalid token',
      async (method, path) => {
        const none = await answerTo({ method, path });
        expectEnvelope(none, 'UNAUTHORIZED');
        expect(none.headers['www-authenticate']).toBe('Bearer');
        const bad = await answerTo({ method, path, headers: { Authorization: 'Bearer nonsense' } });
        expectEnvelope(bad, 'UNAUTHORIZED');
        expect(bad.headers['www-authenticate']).toBe('Bearer error="invalid_token"');
      },
    );

    it('comes before a malformed body, an invalid query, an invalid id and a precondition', async () => {
      const cases: Sent[] = [
        { method: 'PATCH', path: '/api/users/me', body: MALFORMED },
        { path: '/api/users?limit=1&limit=2' },
        { path: '/api/users/not-an-id' },
        { method: 'PUT', path: `/api/users/${NOBODY}/roles`, body: { roles: ['user'] } },
        { method: 'PATCH', path: '/api/users/me', headers: { 'If-Match': '"99"' }, body: {} },
      ];
      for (const sent of cases) expectEnvelope(await answerTo(sent), 'UNAUTHORIZED');
    });

    it('may come after 413 and 415', async () => {
      const form = { 'Content-Type': 'application/x-www-form-urlencoded' };
      const sent = { method: 'PATCH', path: '/api/users/me', body: 'a=1', headers: form };
      expect([401, 415]).toContain((await answerTo(sent)).status);
    });
  });

  describe('403 and 404: a user without the permission', () => {
    it('come before a malformed body, an invalid query and an invalid id on a route for administrators', async () => {
      const cases: Sent[] = [
        { method: 'PATCH', path: `/api/users/${other.id}`, body: MALFORMED },
        { method: 'PATCH', path: '/api/users/not-an-id', body: {} },
        { method: 'PUT', path: `/api/users/${other.id}/roles`, body: MALFORMED },
        { method: 'PUT', path: '/api/roles/NOT A ROLE'.replaceAll(' ', '%20'), body: MALFORMED },
        { method: 'POST', path: `/api/users/${other.id}/restore?a=1&a=2` },
        { path: '/api/users?limit=nonsense' },
      ];
      for (const sent of cases) {
        expectEnvelope(await answerTo({ ...sent, headers: asUser() }), 'FORBIDDEN');
      }
    });

    it('does not distinguish ids of others, unknown ids and invalid ids', async () => {
      const answers = await Promise.all(
        [other.id, NOBODY, 'not-an-id'].map((id) =>
          answerTo({ path: `/api/users/${id}`, headers: { ...asUser(), 'X-Request-Id': 'same' } }),
        ),
      );
      for (const answer of answers) expectEnvelope(answer, 'NOT_FOUND');
      expect(new Set(answers.map((answer) => answer.text)).size).toBe(1);
    });
  });

  describe('400, then 412, then 409', () => {
    it('returns 400 for an invalid body, whatever the precondition', async () => {
      const headers = { ...asAdmin(), 'If-Match': '"99"' };
      const sent = { method: 'PATCH', path: `/api/users/${other.id}`, body: { status: 'gone' }, headers };
      expectEnvelope(await answerTo(sent), 'VALIDATION_ERROR');
    });

    it('returns 412 before the conflict that the change would cause', async () => {
      const disable = (tag: string) =>
        answerTo({
          method: 'PATCH',
          path: `/api/users/${app.admin.id}`,
          body: { status: 'disabled' },
          headers: { ...asAdmin(), 'If-Match': tag },
        });
      const stale = await disable('"99"');
      expectEnvelope(stale, 'PRECONDITION_FAILED');
      expect(stale.headers.etag).toMatch(/^"[0-9a-f-]{36}\.\d+"$/);
      expectEnvelope(await disable(stale.headers.etag ?? ''), 'CONFLICT');
    });

    it('returns 400 for an invalid sign-up with a taken address', async () => {
      const body = { email: user.email, password: PASSWORD, name: '' };
      expectEnvelope(await answerTo({ method: 'POST', path: '/api/users', body }), 'VALIDATION_ERROR');
      const valid = { ...body, name: 'Somebody' };
      expectEnvelope(await answerTo({ method: 'POST', path: '/api/users', body: valid }), 'CONFLICT');
    });
  });
});
