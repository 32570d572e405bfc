import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { expectEnvelope, expectNothingFromInside, REQUEST_ID } from '../../support/http/envelope.js';
import { RawConnection } from '../../support/http/raw-connection.js';
import { type Answer, bearer, send, type Sent } from '../../support/http/send.js';
import { type TestUser, PASSWORD, TestApp } from '../../support/app/test-app.js';

describe('errors', () => {
  let app: TestApp;
  let user: TestUser;
  beforeAll(async () => {
    app = await TestApp.create();
    user = await app.createUser();
  });
  afterEach(() => RawConnection.endAll());
  afterAll(() => app.close());

  const answerTo = (sent: Sent) => send(app.url, sent);

  it('have one envelope without internal details', async () => {
    const taken = { email: user.email, password: PASSWORD, name: 'Somebody' };
    const cases: Sent[] = [
      { path: '/api/nothing' },
      { method: 'PUT', path: '/api/users' },
      { path: '/api/users/me' },
      { path: '/api/users', headers: bearer(user) },
      { path: '/api/users/%00', headers: bearer(app.admin) },
      { path: '/api/users/%ff', headers: bearer(app.admin) },
      { path: '/api/users?cursor=e30', headers: bearer(app.admin) },
      { method: 'POST', path: '/api/users', body: taken },
      { method: 'POST', path: '/api/users', body: '{"a":' },
      { method: 'POST', path: '/api/users', body: { ...taken, password: 5 } },
      { method: 'POST', path: '/api/auth/login', body: { email: 'a@b.example', password: 'x' } },
      { method: 'POST', path: '/api/auth/login', body: 'x', headers: { 'Content-Type': 'text/plain' } },
      { method: 'PUT', path: '/api/roles/admin', body: { permissions: [] }, headers: bearer(app.admin) },
      { path: '/docs/../../package.json' },
    ];
    for (const sent of cases) {
      const answer = await answerTo(sent);
      const { error } = answer.json as { error: { code: 'NOT_FOUND' } };
      expectEnvelope(answer, error.code);
      expectNothingFromInside(answer);
    }
  });

  it('name the field of each error, with the first error as the message', async () => {
    const body = { email: 'nonsense', password: 'short', name: '', admin: true };
    const error = expectEnvelope(
      await answerTo({ method: 'POST', path: '/api/users', body }),
      'VALIDATION_ERROR',
    );
    expect(error.details?.map((detail) => detail.field).toSorted()).toEqual([
      'admin',
      'email',
      'name',
      'password',
    ]);
    expect(error.message).toBe(error.details?.[0]?.message);
    expect(error.details).toContainEqual({ field: 'email', message: 'email must be an email' });
  });

  it('are bounded, however many errors the input has', async () => {
    const body = Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`unknown_${i}`, i]));
    const answer = await answerTo({ method: 'POST', path: '/api/users', body });
    expect(expectEnvelope(answer, 'VALIDATION_ERROR').details?.length).toBeLessThanOrEqual(20);
  });

  it('never repeat rejected values', async () => {
    const body = { email: 'SECRET-e', password: 'SECRET-p\u0007', name: ['SECRET-n'] };
    const answer = await answerTo({ method: 'POST', path: '/api/users', body });
    expectEnvelope(answer, 'VALIDATION_ERROR');
    expect(answer.text).not.toContain('SECRET');
  });

  it('are 400 for a path that is not UTF-8', async () => {
    for (const id of ['%ff', '%c0%af', '%ed%a0%80', '%e2%82', '%']) {
      const answer = await answerTo({ path: `/api/users/${id}`, headers: bearer(app.admin) });
      expectEnvelope(answer, 'VALIDATION_ERROR');
    }
  });

  describe('as application/problem+json', () => {
    const asked = (sent: Sent, accept = 'application/problem+json') =>
      answerTo({ ...sent, headers: { ...sent.headers, Accept: accept, 'X-Request-Id': 'the-same' } });

    it.each<[string, Sent]>([
      ['400 with details', { method: 'POST', path: '/api/users', body: {} }],
      ['401', { path: '/api/users/me' }],
      ['404', { path: '/api/nothing' }],
      ['405', { method: 'PUT', path: '/api/users' }],
      ['415', { method: 'POST', path: '/api/users', body: 'x', headers: { 'Content-Type': 'text/plain' } }],
    ])('carry the same information and headers: %s', async (_, sent) => {
      const plain = await asked(sent, 'application/json');
      const problem = await asked(sent);
      const { error } = plain.json as { error: Record<string, unknown> };
      const { details, message, ...facts } = error;
      expect(problem.headers['content-type']).toBe('application/problem+json; charset=utf-8');
      expect(problem.json).toEqual({
        type: 'about:blank',
        title: expect.any(String),
        status: plain.status,
        detail: message,
        ...facts,
        ...(details !== undefined && { errors: details }),
      });
      expect(problem.status).toBe(plain.status);
      for (const header of ['allow', 'www-authenticate', 'x-request-id', 'cache-control']) {
        expect(problem.headers[header]).toBe(plain.headers[header]);
      }
    });

    it.each([
      ['*/*', 'application/json'],
      ['text/html', 'application/json'],
      ['', 'application/json'],
      [';;;=,,', 'application/json'],
      ['application/json, application/problem+json', 'application/json'],
      ['application/problem+json;q=0.4, application/json;q=0.9', 'application/json'],
      ['application/problem+json;q=0', 'application/json'],
      ['application/json;q=0.4, application/problem+json;q=0.9', 'application/problem+json'],
      ['text/html, Application/Problem+JSON', 'application/problem+json'],
      ['application/problem+json; charset=utf-8', 'application/problem+json'],
      ['application/problem+json;charset="utf-8";q=0.9, application/json;q=0.1', 'application/problem+json'],
      ['application/problem+json; charset=utf-8; q=0', 'application/json'],
    ])('are sent only if the client prefers it: Accept: %s', async (accept, type) => {
      const answer = await asked({ path: '/api/nothing' }, accept);
      expect(answer.headers['content-type']).toBe(`${type}; charset=utf-8`);
    });

    it('leave other responses unchanged', async () => {
      const answer = await asked({ path: '/api/users/me', headers: bearer(user) });
      expect(answer).toMatchObject({
        status: 200,
        headers: { 'content-type': 'application/json; charset=utf-8' },
      });
    });
  });

  describe('of malformed requests', () => {
    const reply = async (bytes: string): Promise<Answer> => {
      const connection = await RawConnection.open(app.url);
      connection.write(bytes);
      return connection.answer();
    };

    it.each([
      ['a nonsense request line', 'nonsense\r\n\r\n'],
      ['an unknown method', 'BREW /health HTTP/1.1\r\nHost: x\r\n\r\n'],
      ['an unknown version', 'GET /health HTTP/9.9\r\nHost: x\r\n\r\n'],
      ['a header without a colon', 'GET /health HTTP/1.1\r\nHost x\r\n\r\n'],
      ['a space before the colon', 'GET /health HTTP/1.1\r\nHost : x\r\n\r\n'],
      ['U+0000 in a header', 'GET /health HTTP/1.1\r\nHost: x\r\nA: a\0b\r\n\r\n'],
      [
        'both a length and chunks',
        'POST /api/users HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      ],
      [
        'two lengths',
        'POST /api/users HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx',
      ],
      ['a negative length', 'POST /api/users HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n'],
      ['a length of 1e3', 'POST /api/users HTTP/1.1\r\nHost: x\r\nContent-Length: 1e3\r\n\r\n'],
      ['headers over the limit', `GET /health HTTP/1.1\r\nHost: x\r\nA: ${'a'.repeat(70_000)}\r\n\r\n`],
      ['a path over the limit', `GET /${'a'.repeat(70_000)} HTTP/1.1\r\nHost: x\r\n\r\n`],
      ['no Host', 'GET /api/users/me HTTP/1.1\r\n\r\n'],
      ['an unknown transfer coding', 'POST /api/users HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: x\r\n\r\n'],
    ])('send the envelope for %s and close the connection', async (_, bytes) => {
      const answer = await reply(bytes);
      expectEnvelope(answer, 'VALIDATION_ERROR');
      expectNothingFromInside(answer);
      expect(answer.headers).toMatchObject({
        connection: 'close',
        'x-request-id': expect.stringMatching(REQUEST_ID),
        'x-content-type-options': 'nosniff',
        'strict-transport-security': expect.stringContaining('max-age='),
        'content-security-policy': expect.stringContaining("default-src 'none'"),
        'referrer-policy': 'no-referrer',
      });
    });

    it('do not affect other requests', async () => {
      await reply('nonsense\r\n\r\n');
      expect(await answerTo({ path: '/health/live' })).toMatchObject({ status: 200 });
    });
  });
});
