import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { expectEnvelope } from '../../support/envelope.js';
import { RawConnection } from '../../support/raw-connection.js';
import { bearer, send, type Sent } from '../../support/send.js';
import { type Account, PASSWORD, TestApp } from '../../support/test-app.js';
import { until } from '../../support/until.js';

const PUBLIC_LIMIT = 100_000;
const LIMIT = 300_000;
const SIGN_UP = { email: 'someone@example.com', password: PASSWORD, name: 'Someone' };

describe('request bodies', () => {
  let app: TestApp;
  let user: Account;
  beforeAll(async () => {
    app = await TestApp.create({ config: { BODY_LIMIT_BYTES: LIMIT } });
    user = await app.account();
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

  describe('that are no JSON', () => {
    it.each([
      ['nothing but an opening', '{'],
      ['garbage after the value', `${JSON.stringify(SIGN_UP)} x`],
      ['a second value', `${JSON.stringify(SIGN_UP)}{}`],
      ['a trailing comma', '{"email":"a@example.com",}'],
      ['a comment', '{/* */}'],
      ['single quotes', "{'email':'a@example.com'}"],
      ['NaN', '{"email":NaN}'],
      ['a raw line break in a string', '{"name":"a\nb"}'],
      ['a byte order mark', '\uFEFF{}'],
      ['white space alone', '   '],
    ])('answers 400 to %s', async (_, body) => {
      const error = expectEnvelope(await post(body), 'VALIDATION_ERROR');
      expect(error.message).toBe('body must be valid JSON');
    });

    it.each([
      ['a byte that UTF-8 never has', Buffer.from('7b226e616d65223a22ff227d', 'hex')],
      ['an overlong encoding', Buffer.from('7b226e616d65223a22c0af227d', 'hex')],
      ['an encoded surrogate', Buffer.from('7b226e616d65223a22eda080227d', 'hex')],
      ['a character cut short', Buffer.from('7b226e616d65223a22e282227d', 'hex')],
      ['UTF-16', Buffer.from('\ufeff{}', 'utf16le')],
    ])('answers 400 to invalid UTF-8: %s', async (_, body) => {
      const error = expectEnvelope(await post(body), 'VALIDATION_ERROR');
      expect(error.message).toBe('body must be valid UTF-8');
    });
  });

  describe('that are JSON of another shape', () => {
    it.each([
      ['null'],
      ['5'],
      ['1e400'],
      ['true'],
      ['"text"'],
      ['[]'],
      ['[{}]'],
      [JSON.stringify([SIGN_UP])],
    ])('answers 400 to %s, where every property is optional too', async (body) => {
      expectEnvelope(await post(body), 'VALIDATION_ERROR');
      expectEnvelope(await patchMe(body), 'VALIDATION_ERROR');
    });

    it('answers 400 to no body where properties are needed', async () => {
      const error = expectEnvelope(
        await send(app.url, { method: 'POST', path: '/api/users' }),
        'VALIDATION_ERROR',
      );
      expect(error.details?.map((detail) => detail.field)).toEqual(['email', 'password', 'name']);
    });

    it('answers 400 to a body where a route takes none', async () => {
      const restore = { method: 'POST', path: `/api/users/${user.id}/restore`, headers: bearer(app.admin) };
      expectEnvelope(await send(app.url, { ...restore, body: { force: true } }), 'VALIDATION_ERROR');
      expectEnvelope(await send(app.url, { ...restore, body: 5 }), 'VALIDATION_ERROR');
      expectEnvelope(await send(app.url, { ...restore, body: {} }), 'CONFLICT');
    });
  });

  describe('that are nested', () => {
    const nested = (levels: number) => `${'['.repeat(levels - 1)}"x"${']'.repeat(levels - 1)}`;
    const inName = (levels: number) => `{"name":${nested(levels)}}`;

    it('judges 32 levels by their content', async () => {
      const error = expectEnvelope(await patchMe(inName(32)), 'VALIDATION_ERROR');
      expect(error.message).toBe('name must be a string');
    });

    it.each([
      ['33 levels', inName(33)],
      ['40,000 brackets', '['.repeat(40_000)],
      ['40,000 closed brackets', '['.repeat(40_000) + ']'.repeat(40_000)],
      ['15,000 objects', '{"a":'.repeat(15_000) + '1' + '}'.repeat(15_000)],
    ])('answers 400 to %s', async (_, body) => {
      const error = expectEnvelope(await patchMe(body), 'VALIDATION_ERROR');
      expect(error.message).toMatch(/nested deeper than 32/);
    });

    it('does not take brackets in a string for nesting', async () => {
      const name = `\\"${'[{'.repeat(40)}`;
      const answer = await patchMe({ name });
      expect(answer).toMatchObject({ status: 200, json: { name } });
    });
  });

  describe('that hold what reaches a prototype or no text has', () => {
    it.each([
      '{"__proto__":{"admin":true}}',
      '{"name":"A","\\u005f_proto__":{}}',
      '{"constructor":{"prototype":{"admin":true}}}',
      '{"name":{"a":[{"prototype":1}]}}',
      '{"name":[[[{"__proto__":null}]]]}',
    ])('answers 400 to %s and pollutes nothing', async (body) => {
      const error = expectEnvelope(await patchMe(body), 'VALIDATION_ERROR');
      expect(error.message).toMatch(/must not hold such a property name/);
      expect(({} as Record<string, unknown>)['admin']).toBeUndefined();
    });

    it.each([
      ['a lone high surrogate', '{"name":"a\\ud800b"}', 'name must not hold lone surrogates'],
      ['a lone low surrogate', '{"name":"\\udc00"}', 'name must not hold lone surrogates'],
      ['surrogates in the wrong order', '{"name":"\\udc00\\ud800"}', 'name must not hold lone surrogates'],
      ['one deep inside', '{"name":[["\\ud800"]]}', 'name must not hold lone surrogates'],
      ['U+0000', '{"name":"a\\u0000"}', 'name must not hold U+0000'],
      ['U+0000 in a key', '{"na\\u0000me":"a"}', 'body must not hold such a property name'],
      ['a lone surrogate in a key', '{"\\ud800":"a"}', 'body must not hold such a property name'],
    ])('answers 400 to %s', async (_, body, message) => {
      expect(expectEnvelope(await patchMe(body), 'VALIDATION_ERROR').message).toBe(message);
    });

    it('keeps an escaped pair of surrogates as the character it is', async () => {
      expect(await patchMe('{"name":"\\ud83d\\ude00"}')).toMatchObject({ status: 200, json: { name: '😀' } });
    });
  });

  describe('of another media type', () => {
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
    ])('answers 415 to "%s"', async (type) => {
      expectEnvelope(await post(SIGN_UP, { 'Content-Type': type }), 'UNSUPPORTED_MEDIA_TYPE');
    });

    it.each([
      'application/json; charset=utf-8',
      'application/json; charset=utf8',
      'Application/JSON;Charset="UTF-8"',
      "application/json ; charset='utf-8';",
      'application/json;q=1',
    ])('reads "%s"', async (type) => {
      expect(await patchMe({ name: 'Ä' }, { 'Content-Type': type })).toMatchObject({ status: 200 });
    });

    it.each(['gzip', 'deflate', 'br', 'GZIP', 'identity, gzip', 'x-unknown'])(
      'answers 415 to a body that says it is compressed: %s',
      async (encoding) => {
        const headers = { 'Content-Type': 'application/json', 'Content-Encoding': encoding };
        expectEnvelope(await post(gzipSync(JSON.stringify(SIGN_UP)), headers), 'UNSUPPORTED_MEDIA_TYPE');
      },
    );
  });

  describe('of a size', () => {
    /** JSON of exactly so many bytes. */
    const sized = (bytes: number) => `{"name":"${'n'.repeat(bytes - '{"name":""}'.length)}"}`;
    const chunked = { 'Transfer-Encoding': 'chunked' };

    it('reads 100,000 bytes on a public route, and one more is 413', async () => {
      const atLimit = expectEnvelope(await post(sized(PUBLIC_LIMIT)), 'VALIDATION_ERROR');
      expect(atLimit.details?.map((detail) => detail.field)).toContain('email');
      expectEnvelope(await post(sized(PUBLIC_LIMIT + 1)), 'PAYLOAD_TOO_LARGE');
    });

    it('gives a signed-in caller no more on a public route', async () => {
      expectEnvelope(await post(sized(PUBLIC_LIMIT + 1), bearer(app.admin)), 'PAYLOAD_TOO_LARGE');
    });

    it('reads BODY_LIMIT_BYTES elsewhere, and one more is 413', async () => {
      expectEnvelope(await patchMe(sized(LIMIT)), 'VALIDATION_ERROR');
      expectEnvelope(await patchMe(sized(LIMIT + 1)), 'PAYLOAD_TOO_LARGE');
    });

    it('counts bytes, not characters', async () => {
      expectEnvelope(await post(`{"name":"${'ä'.repeat(PUBLIC_LIMIT / 2)}"}`), 'PAYLOAD_TOO_LARGE');
    });

    it('draws the same line through bodies that do not tell their length', async () => {
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

    it('answers 413 by the announced length, before a byte of the body was sent', async () => {
      const connection = await RawConnection.open(app.url);
      connection.write(
        head('POST', '/api/users', {
          'Content-Type': 'application/json',
          'Content-Length': String(PUBLIC_LIMIT + 1),
        }),
      );
      expectEnvelope(await connection.answer(), 'PAYLOAD_TOO_LARGE');
    });

    it('answers 413 while a body without a length is still being sent', async () => {
      const connection = await RawConnection.open(app.url);
      connection.write(head('POST', '/api/users', { 'Content-Type': 'application/json', ...chunked }));
      connection.write(chunk('x'.repeat(PUBLIC_LIMIT + 1)));
      expectEnvelope(await connection.answer(), 'PAYLOAD_TOO_LARGE');
    });

    it('does not reset the connection under a client that sends to the end before it reads', async () => {
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

    it('serves the next request on a connection whose body was refused, or closes it cleanly', async () => {
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
