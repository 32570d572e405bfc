import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { expectEnvelope } from '../../support/http/envelope.js';
import { send } from '../../support/http/send.js';
import { TestApp } from '../../support/app/test-app.js';
import { TestDatabase } from '../../support/database/test-database.js';

const ALLOWED = 'https://app.example.com';
const ALSO_ALLOWED = 'http://localhost:5173';

interface Operation {
  readonly responses?: Readonly<Record<string, { readonly headers?: object }>>;
}

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
  let byDefault: TestApp;
  let database: TestDatabase;
  beforeAll(async () => {
    database = await TestDatabase.create();
    app = await TestApp.create({ database, config: { CORS_ORIGINS: [ALLOWED, ALSO_ALLOWED] } });
    closed = await TestApp.create({ database, config: { CORS_ORIGINS: [] } });
    byDefault = await TestApp.create({ database });
  });
  afterAll(async () => {
    for (const each of [app, closed, byDefault]) await each?.close();
    await database?.drop();
  });

  const corsHeaders = (headers: object) =>
    Object.keys(headers).filter((name) => name.startsWith('access-control-'));

  it.each(['http://localhost', 'http://localhost:5173', 'http://localhost:65535'])(
    'allows %s by default outside production',
    async (origin) => {
      const answer = await send(byDefault.url, { path: '/api/users/me', headers: { Origin: origin } });
      expect(answer.headers['access-control-allow-origin']).toBe(origin);
      expect((await preflight(byDefault.url, origin)).headers).toMatchObject({
        'access-control-allow-origin': origin,
        'access-control-max-age': '600',
      });
    },
  );

  it.each([
    'https://localhost:5173',
    'http://localhost.evil.example',
    'http://localhost:5173.evil.example',
    'http://evil.localhost:5173',
    'http://localhost:',
    'http://localhost:*',
    'http://127.0.0.1:5173',
    'http://LOCALHOST:5173',
    'null',
  ])('does not allow %s by default', async (origin) => {
    expect((await preflight(byDefault.url, origin)).headers).not.toHaveProperty(
      'access-control-allow-origin',
    );
  });

  it('sends no CORS headers without configured origins, and treats a preflight like any other method', async () => {
    const answer = await send(closed.url, { path: '/api/users/me', headers: { Origin: ALLOWED } });
    expect(corsHeaders(answer.headers)).toEqual([]);
    const asked = await preflight(closed.url, ALLOWED);
    expectEnvelope(asked, 'METHOD_NOT_ALLOWED');
    expect(corsHeaders(asked.headers)).toEqual([]);
  });

  it.each([ALLOWED, ALSO_ALLOWED])('allows %s, on errors too, without credentials', async (origin) => {
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

  it.each(STRANGERS)('does not allow "%s"', async (origin) => {
    const answer = await send(app.url, { path: '/api/users/me', headers: { Origin: origin } });
    expect(answer.headers).not.toHaveProperty('access-control-allow-origin');
    expect(answer.headers.vary).toMatch(/\bOrigin\b/);
    const asked = await preflight(app.url, origin);
    expect(asked.headers).not.toHaveProperty('access-control-allow-origin');
  });

  it('returns the allowed methods and headers to a preflight, with a lifetime', async () => {
    const answer = await preflight(app.url, ALLOWED);
    expect(answer).toMatchObject({ status: 204, text: '' });
    expect(answer.headers).toMatchObject({
      'access-control-allow-origin': ALLOWED,
      'access-control-allow-methods': expect.stringContaining('PATCH'),
      'access-control-allow-headers': expect.stringMatching(/authorization.*idempotency-key/),
      'access-control-max-age': '600',
      'x-request-id': expect.any(String),
    });
  });

  it('allows every header that the API reads, so that one preflight covers all requests to a URL', async () => {
    const answer = await send(app.url, {
      method: 'OPTIONS',
      path: '/api/users/me',
      headers: {
        Origin: ALLOWED,
        'Access-Control-Request-Method': 'GET',
        'Access-Control-Request-Headers': 'authorization, x-from-elsewhere',
      },
    });
    const allowed = (answer.headers['access-control-allow-headers'] ?? '').split(',');
    expect(allowed.slice(0, 2)).toEqual(['authorization', 'x-from-elsewhere']);
    const known =
      'accept content-type idempotency-key if-match if-none-match last-event-id traceparent tracestate x-request-id';
    expect(allowed.slice(2)).toEqual(known.split(' '));
    const methods = (answer.headers['access-control-allow-methods'] ?? '').split(',');
    expect(methods).toEqual(expect.arrayContaining(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']));
  });

  it('exposes all headers of the service, including those in the OpenAPI document', async () => {
    const answer = await send(app.url, { path: '/openapi.json', headers: { Origin: ALLOWED } });
    const exposed = String(answer.headers['access-control-expose-headers']).toLowerCase().split(',');
    expect(exposed).toEqual(
      expect.arrayContaining([
        'allow',
        'content-disposition',
        'etag',
        'www-authenticate',
        'retry-after',
        'ratelimit',
      ]),
    );
    const { paths } = answer.json as { paths: Record<string, Record<string, Operation>> };
    const operations = Object.values(paths).flatMap((path) => Object.values(path));
    const documented = operations.flatMap(({ responses = {} }) =>
      Object.values(responses).flatMap(({ headers = {} }) => Object.keys(headers)),
    );
    expect(documented).toContain('X-Total-Count');
    // Browsers do not expose trailer fields.
    const trailers = ['X-Export-Count', 'X-Export-Sha256'];
    const missing = documented.filter(
      (name) => !exposed.includes(name.toLowerCase()) && !trailers.includes(name),
    );
    expect(missing).toEqual([]);
  });

  it('treats an OPTIONS request that is not a preflight as any method', async () => {
    const answer = await send(app.url, { method: 'OPTIONS', path: '/api/users' });
    expectEnvelope(answer, 'METHOD_NOT_ALLOWED');
    expect(answer.headers.allow).toBe('GET, HEAD, POST');
    expectEnvelope(await send(app.url, { method: 'OPTIONS', path: '/api/nothing' }), 'NOT_FOUND');
  });
});
