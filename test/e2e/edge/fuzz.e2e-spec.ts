import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { forgeCursor } from '../../support/http/cursors.js';
import { expectSomeEnvelope } from '../../support/http/envelope.js';
import { type Answer, bearer, send, type Sent } from '../../support/http/send.js';
import { type TestUser, TestApp } from '../../support/app/test-app.js';

/** Enough runs to find rare cases. Use FUZZ_RUNS=20000 for a whole night. A failure prints its seed. */
const RUNS = Number(process.env['FUZZ_RUNS'] ?? 60);

const json = fc.jsonValue({ maxDepth: 4, depthSize: 'small' });
/** Full Unicode, including lone surrogates and control characters. */
const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 120 }),
  fc.string({ unit: 'grapheme', maxLength: 120 }),
  fc
    .array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 40 })
    .map((units) => String.fromCharCode(...units)),
  fc.constantFrom("' OR 1=1 --", '%', '\\', '../..', '{}', '\u0000', '\ud800', '1e400', '-1', '\u202e'),
);
const propertyName = fc.oneof(
  fc.constantFrom(
    'email',
    'password',
    'name',
    'roles',
    'status',
    'permissions',
    '__proto__',
    'constructor',
    'toString',
    '',
  ),
  text,
);
const value = fc.oneof(json, text, fc.double(), fc.array(text, { maxLength: 5 }));
const properties = (...names: string[]) =>
  fc.oneof(
    fc.record(Object.fromEntries(names.map((name) => [name, value])), { requiredKeys: [] }),
    fc.record(Object.fromEntries(names.map((name) => [name, text]))),
    json,
    fc.array(fc.tuple(propertyName, value), { maxLength: 6 }).map(
      // Written by hand, because a JavaScript object cannot hold "__proto__" or a repeated name.
      (pairs) =>
        `{${pairs.map(([name, each]) => `${JSON.stringify(name)}:${JSON.stringify(each) ?? 'null'}`).join()}}`,
    ),
  );

/** Percent-encodes each byte, so that invalid UTF-8 is possible. */
const encoded = fc.oneof(
  text.map((each) => encodeURIComponent(each.toWellFormed())),
  fc
    .uint8Array({ maxLength: 20 })
    .map((bytes) => [...bytes].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('')),
  fc.string({ unit: fc.constantFrom(...'%&=?+;[]/.:@ab01~!$,*()'.split('')), maxLength: 20 }),
);
/** Text that HTTP allows in a header value. */
const headerText = fc.oneof(
  fc.string({
    unit: fc
      .integer({ min: 0x20, max: 0xff })
      .filter((code) => code !== 0x7f)
      .map((code) => String.fromCharCode(code)),
    maxLength: 80,
  }),
  fc.constantFrom(
    '*',
    '"1"',
    'W/"1"',
    '"1", "2"',
    ',',
    '""',
    'Bearer',
    'Bearer  ',
    'bearer a.b.c',
    'Basic YTpi',
    'application/problem+json',
  ),
);

describe('any input', () => {
  let app: TestApp;
  let user: TestUser;
  beforeAll(async () => {
    app = await TestApp.create({ config: { PASSWORD_CONCURRENCY: 2 } });
    user = await app.createUser();
  });
  afterAll(() => app.close());

  function expectContract(answer: Answer, sent: Sent): void {
    if (answer.status >= 500) throw new Error(`${answer.status} ${answer.text} to ${JSON.stringify(sent)}`);
    expect(answer.headers['x-request-id']).toMatch(/^[A-Za-z0-9._-]{1,64}$/);
    if (answer.status === 204 || answer.status === 304 || sent.method === 'HEAD') {
      expect(answer.text).toBe('');
    } else if (
      answer.status >= 400 &&
      !answer.headers['content-type']?.startsWith('application/problem+json')
    ) {
      expectSomeEnvelope(answer);
    } else if (/^\/docs\/[./]*$/.test(sent.path)) {
      expect(answer.headers['content-type']).toMatch(/^text\/html; charset=utf-8$/i);
    } else {
      expect(answer.headers['content-type']).toMatch(/^application\/(problem\+)?json; charset=utf-8$/);
      expect(answer.json).toBeDefined();
    }
  }

  async function drive<T>(arbitrary: fc.Arbitrary<T>, toRequest: (value: T) => Sent): Promise<void> {
    await fc.assert(
      fc.asyncProperty(arbitrary, async (each) => {
        const sent = toRequest(each);
        expectContract(await send(app.url, sent), sent);
      }),
      { numRuns: RUNS },
    );
  }

  const admin = (headers: Sent['headers'] = {}) => ({ ...bearer(app.admin), ...headers });

  it.each<[string, string, fc.Arbitrary<unknown>]>([
    ['POST', '/api/users', properties('email', 'password', 'name')],
    ['POST', '/api/auth/login', properties('email', 'password')],
    ['PATCH', '/api/users/me', properties('name')],
    ['PATCH', '/api/users/{id}', properties('name', 'status')],
    ['PUT', '/api/users/{id}/roles', properties('roles')],
    ['PUT', '/api/roles/support', properties('permissions')],
    ['POST', '/api/users/{id}/restore', json],
    ['DELETE', '/api/users/{id}', json.filter((body) => body !== null && Object.keys(body).length > 0)],
  ])('as the body of %s %s never causes a 5xx', async (method, path, body) => {
    const headers = admin({ 'If-Match': '*' });
    await drive(body, (each) => ({ method, path: path.replace('{id}', user.id), body: each, headers }));
  });

  it('as the bytes of a body never causes a 5xx', async () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array)),
      fc
        .string({ unit: fc.constantFrom(...'{}[]",:\\u0e-1 tnf'.split('')), maxLength: 60 })
        .map((each) => Buffer.from(each)),
    );
    await drive(bytes, (body) => ({
      method: 'PATCH',
      path: '/api/users/me',
      body,
      headers: admin({ 'Content-Type': 'application/json' }),
    }));
  });

  it.each(['limit', 'offset', 'cursor', 'search', 'status', 'role', 'sort', 'total'])(
    'as the query parameter %s never causes a 5xx',
    async (name) => {
      await drive(encoded, (each) => ({
        path: `/api/users?${name}=${each.replaceAll('&', '%26')}`,
        headers: admin(),
      }));
    },
  );

  it('as a whole query never causes a 5xx', async () => {
    await drive(encoded, (query) => ({ path: `/api/users?${query}`, headers: admin() }));
    await drive(encoded, (query) => ({ path: `/api/roles?${query}`, headers: admin() }));
  });

  it('in a cursor, for every sort order, never causes a 5xx', async () => {
    const sorts = ['created_at', '-created_at', 'email', '-email', 'name', '-name'];
    const toRequest = (sort: string, position: readonly [key: unknown, id: unknown]) => {
      const cursor = forgeCursor(...position, { list: 'users', sort });
      return { path: `/api/users?sort=${sort}&cursor=${cursor}`, headers: admin() };
    };
    for (const sort of sorts) {
      const honest = toRequest(sort, ['2026-01-01T00:00:00.000Z', user.id]);
      expect(await send(app.url, honest)).toMatchObject({ status: 200 });
    }
    const key = fc.oneof(
      text,
      fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
      json,
    );
    const id = fc.oneof(fc.uuid(), text);
    await drive(fc.tuple(fc.constantFrom(...sorts), key, id), ([sort, ...position]) =>
      toRequest(sort, position),
    );
  });

  it.each([
    '/api/users/*',
    '/api/users/*/roles',
    '/api/users/*/restore',
    '/api/roles/*',
    '/docs/*',
    '/*',
    '/api/*/me',
  ])('in the path %s never causes a 5xx', async (path) => {
    const method = fc.constantFrom('GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE');
    await drive(fc.tuple(method, encoded), ([verb, part]) => ({
      method: verb,
      path: path.replace('*', () => part.replaceAll('?', '%3F') || '%20'),
      headers: admin(),
      ...(['POST', 'PUT', 'PATCH'].includes(verb) && { body: {} }),
    }));
  });

  it.each([
    'If-Match',
    'If-None-Match',
    'Authorization',
    'X-Request-Id',
    'Accept',
    'Accept-Encoding',
    'Origin',
    'Host',
    'Content-Type',
    'Cookie',
    'X-Forwarded-For',
  ])('as the header %s never causes a 5xx', async (name) => {
    await drive(headerText, (each) => ({
      path: '/api/users/me',
      headers: admin({
        [name]: name === 'Host' && each.trim() === '' ? 'x' : each,
        ...(name === 'Accept-Encoding' && { 'Accept-Encoding': 'identity' }),
      }),
    }));
    await drive(headerText, (each) => ({
      method: 'PATCH',
      path: '/api/users/me',
      body: {},
      headers: admin({ [name]: each || 'x' }),
    }));
  });
});
