import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { REQUEST_ID } from '../../support/http/envelope.js';
import { bearer, send, type Sent } from '../../support/http/send.js';
import { type TestUser, TestApp } from '../../support/app/test-app.js';

describe('response headers', () => {
  let app: TestApp;
  let user: TestUser;
  beforeAll(async () => {
    app = await TestApp.create();
    user = await app.createUser();
  });
  afterAll(() => app.close());

  const answerTo = (sent: Sent) => send(app.url, sent);

  /** One request for each kind of response. */
  const kinds = (): readonly (readonly [status: number, sent: Sent])[] => [
    [200, { path: '/api/users/me', headers: bearer(user) }],
    [200, { path: '/health/live' }],
    [200, { path: '/health' }],
    [200, { path: '/metrics' }],
    [200, { path: '/openapi.json' }],
    [200, { path: '/docs' }],
    [200, { path: '/.well-known/jwks.json' }],
    [200, { method: 'HEAD', path: '/health/live' }],
    [304, { path: '/api/users/me', headers: { ...bearer(user), 'If-None-Match': '*' } }],
    [400, { method: 'POST', path: '/api/users', body: '{' }],
    [400, { path: '/api/users/%ff', headers: bearer(user) }],
    [401, { path: '/api/users/me' }],
    [401, { path: '/api/users/me', headers: { Authorization: 'Bearer nonsense' } }],
    [403, { path: '/api/users', headers: bearer(user) }],
    [404, { path: '/nothing' }],
    [404, { path: '/docs/nothing' }],
    [405, { method: 'PUT', path: '/api/users' }],
    [405, { method: 'OPTIONS', path: '/api/users' }],
    [413, { method: 'POST', path: '/api/users', body: 'x'.repeat(100_001) }],
    [415, { method: 'POST', path: '/api/users', body: 'x', headers: { 'Content-Type': 'text/plain' } }],
    [
      428,
      {
        method: 'PUT',
        path: `/api/users/${user.id}/roles`,
        body: { roles: ['user'] },
        headers: bearer(app.admin),
      },
    ],
  ];

  describe('X-Request-Id', () => {
    it('keeps the id of the caller on every kind of response', async () => {
      for (const [status, sent] of kinds()) {
        const id = `Caller.s-own_${status}`;
        const answer = await answerTo({ ...sent, headers: { ...sent.headers, 'X-Request-Id': id } });
        expect({ status: answer.status, id: answer.headers['x-request-id'] }).toEqual({ status, id });
        if (status >= 400) expect(answer.json).toMatchObject({ error: { request_id: id } });
      }
    });

    it.each(['a', '0', 'A'.repeat(64), 'a.b-c_d', '..'])('keeps %s', async (id) => {
      const answer = await answerTo({ path: '/nothing', headers: { 'X-Request-Id': id } });
      expect(answer.headers['x-request-id']).toBe(id);
    });

    it.each([
      ['an empty one', ''],
      ['one of 65 characters', 'a'.repeat(65)],
      ['one with a space', 'a b'],
      ['one with a line break that a proxy let through', 'a\u0085b'],
      ['one with markup', '<b>'],
      ['one with a non-ASCII character', 'ä'],
      ['one with a slash', 'a/b'],
      ['two', ['a', 'b']],
      ['one in JSON', '{"a":1}'],
    ])('replaces %s', async (_, id) => {
      const answer = await answerTo({ path: '/nothing', headers: { 'X-Request-Id': id } });
      expect(answer.headers['x-request-id']).toMatch(REQUEST_ID);
      expect(answer.headers['x-request-id']).not.toBe(id);
      expect(answer.json).toMatchObject({ error: { request_id: answer.headers['x-request-id'] } });
    });

    it('generates a different one for each request without', async () => {
      const answers = await Promise.all(Array.from({ length: 20 }, () => answerTo({ path: '/health/live' })));
      expect(new Set(answers.map((answer) => answer.headers['x-request-id'])).size).toBe(20);
    });
  });

  describe('for security', () => {
    it('are sent with every kind of response', async () => {
      for (const [status, sent] of kinds()) {
        const answer = await answerTo(sent);
        expect({ status: answer.status, path: sent.path, ...answer.headers }).toMatchObject({
          status,
          path: sent.path,
          'strict-transport-security': expect.stringMatching(/^max-age=\d{8,}; includeSubDomains/),
          'x-content-type-options': 'nosniff',
          'referrer-policy': 'no-referrer',
          'content-security-policy': expect.stringContaining("frame-ancestors 'none'"),
        });
        const hidden = ['x-powered-by', 'server', 'set-cookie', 'access-control-allow-origin'];
        for (const name of hidden) expect(answer.headers[name]).toBeUndefined();
      }
    });

    it('allow scripts only on the documentation page', async () => {
      for (const [, sent] of kinds()) {
        const policy = (await answerTo(sent)).headers['content-security-policy'];
        if (sent.path.startsWith('/docs')) expect(policy).toMatch(/^default-src 'none';.*script-src 'self'/);
        else expect(policy).toBe("default-src 'none';frame-ancestors 'none'");
      }
    });

    it('never allow inline scripts', async () => {
      const { headers } = await answerTo({ path: '/docs' });
      expect(headers['content-security-policy']).not.toMatch(/script-src[^;]*unsafe|\*/);
    });
  });

  describe('for caches', () => {
    it('prevent caching under /api, except for revalidation of conditional reads', async () => {
      for (const [status, sent] of kinds()) {
        if (!sent.path.startsWith('/api')) continue;
        const conditional = sent.path === '/api/users/me' && [200, 304].includes(status);
        const expected = conditional ? 'private, no-cache' : 'no-store';
        expect({ status, value: (await answerTo(sent)).headers['cache-control'] }).toEqual({
          status,
          value: expected,
        });
      }
    });
  });

  describe('for the body', () => {
    it('declare JSON as UTF-8', async () => {
      for (const [, sent] of kinds()) {
        const answer = await answerTo(sent);
        if (answer.text === '' || ['/docs', '/metrics'].includes(sent.path)) continue;
        expect(answer.headers['content-type']).toBe('application/json; charset=utf-8');
        expect(answer.json).toBeDefined();
      }
    });

    it('do not describe an absent body', async () => {
      const answer = await answerTo({
        path: '/api/users/me',
        headers: { ...bearer(user), 'If-None-Match': '*' },
      });
      expect(answer).toMatchObject({ status: 304, text: '' });
      expect(answer.headers).not.toHaveProperty('content-type');
      expect(answer.headers.etag).toMatch(/^"[0-9a-f-]{36}\.\d+"$/);
    });

    it.each([
      ['gzip', gunzipSync],
      ['br', brotliDecompressSync],
    ])('announce compression if the client accepts it: %s', async (encoding, decompress) => {
      const plain = await answerTo({ path: '/openapi.json' });
      const small = await answerTo({ path: '/openapi.json', headers: { 'Accept-Encoding': encoding } });
      expect(small.headers).toMatchObject({
        'content-encoding': encoding,
        vary: expect.stringMatching(/accept-encoding/i),
      });
      expect(small.bytes.length).toBeLessThan(plain.bytes.length / 2);
      expect(decompress(small.bytes).toString()).toBe(plain.text);
    });

    it.each([undefined, 'identity', 'gzip;q=0', 'unheard-of', ''])(
      'announce no compression for Accept-Encoding: %s',
      async (accept) => {
        const headers: Sent['headers'] = accept === undefined ? {} : { 'Accept-Encoding': accept };
        const answer = await answerTo({ path: '/openapi.json', headers });
        expect(answer.headers['content-encoding']).toBeUndefined();
        expect(answer.json).toMatchObject({ openapi: '3.1.0' });
      },
    );
  });

  describe('of HEAD', () => {
    it.each([
      ['/api/users/me', true],
      ['/api/users?limit=1', true],
      ['/api/roles', true],
      ['/.well-known/jwks.json', false],
      ['/health/live', false],
      ['/openapi.json', false],
      ['/api/users/me', false],
      ['/api/nothing', false],
      ['/api/users?limit=0', true],
    ])('equal those of GET %s without a body', async (path, signedIn) => {
      const headers = { 'X-Request-Id': 'same', Connection: 'close', ...(signedIn && bearer(app.admin)) };
      const get = await answerTo({ path, headers });
      const head = await answerTo({ method: 'HEAD', path, headers });
      expect(head.text).toBe('');
      const { date: _get, ...ofGet } = get.headers;
      const { date: _head, ...ofHead } = head.headers;
      expect({ status: head.status, ...ofHead }).toEqual({ status: get.status, ...ofGet });
    });
  });

  it('keep every error out of caches, also outside the API', async () => {
    for (const [status, sent] of kinds().filter(([code]) => code >= 400)) {
      const { headers } = await answerTo(sent);
      expect([status, headers['cache-control']]).toEqual([status, expect.stringContaining('no-store')]);
    }
  });

  it('never contain a line break from the request', async () => {
    for (const path of [
      '/api/users?limit=1&search=%0d%0aX-Evil:%201',
      '/api/users?search=%0d%0aSet-Cookie:a',
      '/%0d%0aX-Evil:1',
    ]) {
      const answer = await answerTo({ path, headers: bearer(app.admin) });
      expect(answer.headers).not.toHaveProperty('x-evil');
      expect(answer.headers).not.toHaveProperty('set-cookie');
    }
  });
});
