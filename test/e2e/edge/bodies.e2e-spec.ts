import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { expectEnvelope } from '../../support/http/envelope.js';
import { RawConnection } from '../../support/http/raw-connection.js';
import { bearer, send, type Sent } from '../../support/http/send.js';
import { type TestUser, PASSWORD, TestApp } from '../../support/app/test-app.js';
import { until } from '../../support/app/until.js';

const PUBLIC_LIMIT = 100_000;
const LIMIT = 300_000;
const SIGN_UP = { email: 'someone@example.com', password: PASSWORD, name: 'Someone' };

describe('request bodies', () => {
  let app: TestApp;
  let user: TestUser;
  beforeAll(async () => {
    app = await TestApp.create({ config: { BODY_LIMIT_BYTES: LIMIT } });
    user = await app.createUser();
  });
  afterEach(() => RawConnection.endAll());
  afterAll(() => app.close());

  const post = (body: unknown, headers: Sent['headers'] = {}) =>
    send(app.url, { method: 'POST', path: '/api/users', body, headers });
  const patchMe = (body: unknown, headers: Sent['headers'] = {}) =>
    send(app.url, {
      method: 'PATCH',
      path: '/api/users/me',
      body,
      headers: { ...bearer(user), ...headers },
    });

  describe('with invalid JSON', () => {
    it.each([
      ['only an opening brace', '{'],
      ['garbage after the value', `${JSON.stringify(SIGN_UP)} x`],
      ['a second value', `${JSON.stringify(SIGN_UP)}{}`],
      ['a trailing comma', '{"email":"a@example.com",}'],
      ['a comment', '{/* */}'],
      ['single quotes', "{'email':'a@example.com'}"],
      ['NaN', '{"email":NaN}'],
      ['a raw line break in a string', '{"name":"a\nb"}'],
      ['a byte order mark', '\uFEFF{}'],
      ['only white space', '   '],
    ])('get 400 for %s', async (_, body) => {
      const error = expectEnvelope(await post(body), 'VALIDATION_ERROR');
      expect(error.message).toBe('body must be valid JSON');
    });

    it.each([
      ['a byte that UTF-8 never has', Buffer.from('7b226e616d65223a22ff227d', 'hex')],
      ['an overlong encoding', Buffer.from('7b226e616d65223a22c0af227d', 'hex')],
      ['an encoded surrogate', Buffer.from('7b226e616d65223a22eda080227d', 'hex')],
      ['a truncated character', Buffer.from('7b226e616d65223a22e282227d', 'hex')],
      ['UTF-16', Buffer.from('\ufeff{}', 'utf16le')],
    ])('get 400 for invalid UTF-8: %s', async (_, body) => {
      const error = expectEnvelope(await post(body), 'VALIDATION_ERROR');
      expect(error.message).toBe('body must be valid UTF-8');
    });
  });

  describe('with the wrong JSON type', () => {
    it.each([
      ['null'],
      ['5'],
      ['1e400'],
      ['true'],
      ['"text"'],
      ['[]'],
      ['[{}]'],
      [JSON.stringify([SIGN_UP])],
    ])('get 400 for %s, even where every property is optional', async (body) => {
      expectEnvelope(await post(body), 'VALIDATION_ERROR');
      expectEnvelope(await patchMe(body), 'VALIDATION_ERROR');
    });

    it('get 400 when empty where properties are required', async () => {
      const error = expectEnvelope(
        await send(app.url, { method: 'POST', path: '/api/users' }),
        'VALIDATION_ERROR',
      );
      expect(error.details).toEqual(
        ['email', 'password', 'name'].map((field) => ({ field, message: `${field} is required` })),
      );
    });

    it('get 400 on a route without a body', async () => {
      const restore = { method: 'POST', path: `/api/users/${user.id}/restore`, headers: bearer(app.admin) };
      expectEnvelope(await send(app.url, { ...restore, body: { force: true } }), 'VALIDATION_ERROR');
      expectEnvelope(await send(app.url, { ...restore, body: 5 }), 'VALIDATION_ERROR');
      expectEnvelope(await send(app.url, { ...restore, body: {} }), 'CONFLICT');
    });
  });

  it('get a message about the type only for a value that was sent', async () => {
    const message = async (body: object) =>
      expectEnvelope(await post(JSON.stringify(body)), 'VALIDATION_ERROR').message;
    const nameless = { email: SIGN_UP.email, password: SIGN_UP.password };
    expect(await message(nameless)).toBe('name is required');
    expect(await message({ ...nameless, name: null })).toBe('name must be a string');
    expect(await message({ ...nameless, name: '' })).toBe('name must be 1 to 100 characters');
  });

  describe('with nesting', () => {
    const nested = (levels: number) => `${'['.repeat(levels - 1)}"x"${']'.repeat(levels - 1)}`;
    const inName = (levels: number) => `{"name":${nested(levels)}}`;

    it('are validated by content up to 32 levels', async () => {
      const error = expectEnvelope(await patchMe(inName(32)), 'VALIDATION_ERROR');
      expect(error.message).toBe('name must be a string');
    });

    it.each([
      ['33 levels', inName(33)],
      ['40,000 brackets', '['.repeat(40_000)],
      ['40,000 closed brackets', '['.repeat(40_000) + ']'.repeat(40_000)],
      ['15,000 objects', '{"a":'.repeat(15_000) + '1' + '}'.repeat(15_000)],
    ])('get 400 for %s', async (_, body) => {
      const error = expectEnvelope(await patchMe(body), 'VALIDATION_ERROR');
      expect(error.message).toMatch(/nested deeper than 32/);
    });

    it('may contain brackets in strings', async () => {
      const name = `\\"${'[{'.repeat(40)}`;
      const answer = await patchMe({ name });
      expect(answer).toMatchObject({ status: 200, json: { name } });
    });
  });

  describe('with unsafe keys or text', () => {
    it.each([
      '{"__proto__":{"admin":true}}',
      '{"name":"A","\\u005f_proto__":{}}',
      '{"constructor":{"prototype":{"admin":true}}}',
      '{"name":{"a":[{"prototype":1}]}}',
      '{"name":[[[{"__proto__":null}]]]}',
    ])('get 400 for %s and pollute no prototype', async (body) => {
      const error = expectEnvelope(await patchMe(body), 'VALIDATION_ERROR');
      expect(error.message).toMatch(/must not contain a forbidden property name/);
      expect(({} as Record<string, unknown>)['admin']).toBeUndefined();
    });

    it.each([
      ['a lone high surrogate', '{"name":"a\\ud800b"}', 'name must not contain lone surrogates'],
      ['a lone low surrogate', '{"name":"\\udc00"}', 'name must not contain lone surrogates'],
      ['surrogates in the wrong order', '{"name":"\\udc00\\ud800"}', 'name must not contain lone surrogates'],
      ['a nested surrogate', '{"name":[["\\ud800"]]}', 'name must not contain lone surrogates'],
      ['U+0000', '{"name":"a\\u0000"}', 'name must not contain U+0000'],
      ['U+0000 in a key', '{"na\\u0000me":"a"}', 'body must not contain a forbidden property name'],
      ['a lone surrogate in a key', '{"\\ud800":"a"}', 'body must not contain a forbidden property name'],
    ])('get 400 for %s', async (_, body, message) => {
      expect(expectEnvelope(await patchMe(body), 'VALIDATION_ERROR').message).toBe(message);
    });

    it('may contain an escaped surrogate pair', async () => {
      expect(await patchMe('{"name":"\\ud83d\\ude00"}')).toMatchObject({ status: 200, json: { name: '😀' } });
    });
  });

  describe('with another media type', () => {
    it.each([
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
      'text/plain',
      'text/json',
      'application/json; charset=iso-8859-1',
      'application/json; charset=utf-16',
      'application/json;charset="latin1"',
      'application/problem+json',
      'application/x-ndjson',
      'application/jsonx',
      '',
    ])('get 415 for "%s"', async (type) => {
      expectEnvelope(await post(SIGN_UP, { 'Content-Type': type }), 'UNSUPPORTED_MEDIA_TYPE');
    });

    it.each([
      'application/json; charset=utf-8',
      'application/json; charset=utf8',
      'Application/JSON;Charset="UTF-8"',
      "application/json ; charset='utf-8';",
      'application/json;q=1',
    ])('are read as "%s"', async (type) => {
      expect(await patchMe({ name: 'Ä' }, { 'Content-Type': type })).toMatchObject({ status: 200 });
    });

    it.each(['gzip', 'deflate', 'br', 'GZIP', 'identity, gzip', 'x-unknown'])(
      'get 415 with a content coding: %s',
      async (encoding) => {
        const headers = { 'Content-Type': 'application/json', 'Content-Encoding': encoding };
        expectEnvelope(await post(gzipSync(JSON.stringify(SIGN_UP)), headers), 'UNSUPPORTED_MEDIA_TYPE');
      },
    );
  });

  describe('of a given size', () => {
    /** Returns JSON of exactly this number of bytes. */
    const sized = (bytes: number) => `{"name":"${'n'.repeat(bytes - '{"name":""}'.length)}"}`;
    const chunked = { 'Transfer-Encoding': 'chunked' };

    it('are read up to 100,000 bytes on a public route, and get 413 beyond', async () => {
      const atLimit = expectEnvelope(await post(sized(PUBLIC_LIMIT)), 'VALIDATION_ERROR');
      expect(atLimit.details?.map((detail) => detail.field)).toContain('email');
      expectEnvelope(await post(sized(PUBLIC_LIMIT + 1)), 'PAYLOAD_TOO_LARGE');
    });

    it('have the same limit on a public route with a token', async () => {
      expectEnvelope(await post(sized(PUBLIC_LIMIT + 1), bearer(app.admin)), 'PAYLOAD_TOO_LARGE');
    });

    it('are read up to BODY_LIMIT_BYTES elsewhere, and get 413 beyond', async () => {
      expectEnvelope(await patchMe(sized(LIMIT)), 'VALIDATION_ERROR');
      expectEnvelope(await patchMe(sized(LIMIT + 1)), 'PAYLOAD_TOO_LARGE');
    });

    it('are measured in bytes, not characters', async () => {
      expectEnvelope(await post(`{"name":"${'ä'.repeat(PUBLIC_LIMIT / 2)}"}`), 'PAYLOAD_TOO_LARGE');
    });

    it('have the same limits without a length', async () => {
      const json = { 'Content-Type': 'application/json' };
      const raw = async (bytes: number) => {
        const connection = await RawConnection.open(app.url);
        connection.write(head('POST', '/api/users', { ...json, ...chunked }));
        connection.write(`${chunk(sized(bytes))}0\r\n\r\n`);
        const answer = await connection.answer();
        return answer;
      };
      expectEnvelope(await raw(PUBLIC_LIMIT), 'VALIDATION_ERROR');
      expectEnvelope(await raw(PUBLIC_LIMIT + 1), 'PAYLOAD_TOO_LARGE');
    });

    it('get 413 for their announced length before a byte is sent', async () => {
      const connection = await RawConnection.open(app.url);
      connection.write(
        head('POST', '/api/users', {
          'Content-Type': 'application/json',
          'Content-Length': String(PUBLIC_LIMIT + 1),
        }),
      );
      expectEnvelope(await connection.answer(), 'PAYLOAD_TOO_LARGE');
    });

    it('get 413 while a body without a length is still being sent', async () => {
      const connection = await RawConnection.open(app.url);
      connection.write(head('POST', '/api/users', { 'Content-Type': 'application/json', ...chunked }));
      connection.write(chunk('x'.repeat(PUBLIC_LIMIT + 1)));
      expectEnvelope(await connection.answer(), 'PAYLOAD_TOO_LARGE');
    });

    it('get a response without a reset when the client sends everything before it reads', async () => {
      const body = 'x'.repeat(8_000_000);
      const connection = await RawConnection.open(app.url);
      connection.write(
        head('POST', '/api/users', {
          'Content-Type': 'application/json',
          'Content-Length': String(body.length),
        }),
      );
      connection.write(body);
      await until(() => connection.flushed || connection.failure !== null);
      expectEnvelope(await connection.answer(), 'PAYLOAD_TOO_LARGE');
      expect(connection.failure).toBeNull();
    });

    it('leave the connection usable or cleanly closed after a refusal', async () => {
      const connection = await RawConnection.open(app.url);
      const body = sized(PUBLIC_LIMIT + 1);
      connection.write(head('POST', '/api/users', { 'Content-Type': 'application/json', ...chunked }));
      connection.write(`${chunk(body)}0\r\n\r\n`);
      const refusal = await connection.answer();
      expectEnvelope(refusal, 'PAYLOAD_TOO_LARGE');
      if (refusal.headers.connection === 'close') {
        await until(() => connection.closed);
        expect(connection.failure).toBeNull();
      } else {
        connection.write(head('GET', '/health/live', {}));
        expect(await connection.answer()).toMatchObject({ status: 200 });
      }
    });
  });
});

const head = (method: string, path: string, headers: Record<string, string>): string =>
  [`${method} ${path} HTTP/1.1`, 'Host: x', ...Object.entries(headers).map((pair) => pair.join(': '))].join(
    '\r\n',
  ) + '\r\n\r\n';

const chunk = (text: string): string => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;
