import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { expectEnvelope } from '../../support/envelope.js';
import { send } from '../../support/send.js';
import { TestApp } from '../../support/test-app.js';

const ALLOWED = 'https://app.example.com';
const ALSO_ALLOWED = 'http://localhost:5173';

const STRANGERS = [
  'null',
  'https://evil.example',
  'https://app.example.com.evil.example',
  'https://evil-app.example.com',
  'https://evil.example/https://app.example.com',
  'http://app.example.com',
  'https://app.example.com:8443',
  'https://APP.example.com',
  'https://app.example.com/',
  'https://app_example.com',
  'https://sub.app.example.com',
  `${ALLOWED}, https://evil.example`,
  '*',
  '',
];

const preflight = (url: string, origin: string, path = '/api/users/me', method = 'PATCH') =>
  send(url, {
    method: 'OPTIONS',
    path,
    headers: {
      Origin: origin,
      'Access-Control-Request-Method': method,
      'Access-Control-Request-Headers': 'authorization,content-type,idempotency-key,if-match',
    },
  });

describe('CORS', () => {
  let app: TestApp;
  let closed: TestApp;
  beforeAll(async () => {
    app = await TestApp.create({ config: { CORS_ORIGINS: [ALLOWED, ALSO_ALLOWED] } });
    closed = await TestApp.create();
  });
  afterAll(async () => {
    await app.close();
    await closed.close();
  });

  const corsHeaders = (headers: object) =>
    Object.keys(headers).filter((name) => name.startsWith('access-control-'));

  it('is off by default: no origin is let in, and a preflight is a method like any other', async () => {
    const answer = await send(closed.url, { path: '/api/users/me', headers: { Origin: ALLOWED } });
    expect(corsHeaders(answer.headers)).toEqual([]);
    const asked = await preflight(closed.url, ALLOWED);
    expectEnvelope(asked, 'METHOD_NOT_ALLOWED');
    expect(corsHeaders(asked.headers)).toEqual([]);
  });

  it.each([ALLOWED, ALSO_ALLOWED])('lets %s in, with errors too, and without credentials', async (origin) => {
    for (const path of ['/api/users/me', '/api/nothing', '/health/live']) {
      const answer = await send(app.url, { path, headers: { Origin: origin } });
      expect(answer.headers).toMatchObject({
        'access-control-allow-origin': origin,
        vary: expect.stringMatching(/\bOrigin\b/),
        'access-control-expose-headers': expect.stringMatching(/\bETag\b.*\bIdempotency-Replayed\b/),
      });
      expect(answer.headers).not.toHaveProperty('access-control-allow-credentials');
    }
  });

  it.each(STRANGERS)('names no origin to "%s"', async (origin) => {
    const answer = await send(app.url, { path: '/api/users/me', headers: { Origin: origin } });
    expect(answer.headers).not.toHaveProperty('access-control-allow-origin');
    expect(answer.headers.vary).toMatch(/\bOrigin\b/);
    const asked = await preflight(app.url, origin);
    expect(asked.headers).not.toHaveProperty('access-control-allow-origin');
  });

  it('answers a preflight with what the origin may send, and remembers it for a while', async () => {
    const answer = await preflight(app.url, ALLOWED);
    expect(answer).toMatchObject({ status: 204, text: '' });
    expect(answer.headers).toMatchObject({
      'access-control-allow-origin': ALLOWED,
      'access-control-allow-methods': expect.stringContaining('PATCH'),
      'access-control-allow-headers': expect.stringMatching(/authorization.*idempotency-key/),
      'access-control-max-age': expect.stringMatching(/^\d+$/),
      'x-request-id': expect.any(String),
    });
  });

  it('takes an OPTIONS that is no preflight for the method it is', async () => {
    const answer = await send(app.url, { method: 'OPTIONS', path: '/api/users' });
    expectEnvelope(answer, 'METHOD_NOT_ALLOWED');
    expect(answer.headers.allow).toBe('GET, HEAD, POST');
    expectEnvelope(await send(app.url, { method: 'OPTIONS', path: '/api/nothing' }), 'NOT_FOUND');
  });
});
