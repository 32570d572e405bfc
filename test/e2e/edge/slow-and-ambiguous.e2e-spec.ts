import type { Server } from 'node:http';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { expectEnvelope } from '../../support/http/envelope.js';
import { RawConnection } from '../../support/http/raw-connection.js';
import { type TestUser, TestApp } from '../../support/app/test-app.js';
import { until } from '../../support/app/until.js';

const LIMIT = 300_000;
const MAX_HEADS = 100;
const JSON_BODY = 'Content-Type: application/json';

describe('slow and ambiguous requests', () => {
  let app: TestApp;
  let user: TestUser;
  beforeAll(async () => {
    app = await TestApp.create({ config: { BODY_LIMIT_BYTES: LIMIT } });
    user = await app.createUser();
  });
  afterEach(() => RawConnection.endAll());
  afterAll(() => app.close());

  const head = (requestLine: string, ...fields: string[]): string =>
    `${[`${requestLine} HTTP/1.1`, 'Host: x', ...fields].join('\r\n')}\r\n\r\n`;
  const opened = async (bytes: string): Promise<RawConnection> => {
    const connection = await RawConnection.open(app.url);
    connection.write(bytes);
    return connection;
  };
  const patchMe = (...fields: string[]) =>
    head('PATCH /api/users/me', `Authorization: Bearer ${user.token}`, 'If-Match: *', ...fields);

  describe('unfinished heads', () => {
    it('are limited to a hundred per address, on new and reused connections', async () => {
      const used = await Promise.all(
        Array.from({ length: 60 }, async () => {
          const connection = await opened(head('GET /health/live'));
          expect((await connection.answer()).status).toBe(200);
          connection.write('GET /health/live HTTP/1.1\r\nHost:');
          return connection;
        }),
      );
      const fresh = await Promise.all(
        Array.from({ length: 80 }, () => opened('GET /health/live HTTP/1.1\r\n')),
      );
      const open = () => [...used, ...fresh].filter(({ closed }) => !closed);
      await until(() => open().length <= MAX_HEADS);
      // The others may still become requests.
      const [rest] = open().slice(-1);
      rest?.write('Host: x\r\n\r\n');
      expect((await rest?.answer())?.status).toBe(200);
      expect(open()).toHaveLength(MAX_HEADS);
    });

    it('are limited to a hundred when each follows a complete request', async () => {
      const half = 'GET /nowhere HTTP/1.1\r\nHo';
      const all = await Promise.all(
        Array.from({ length: MAX_HEADS + 30 }, () => opened(`${head('GET /health/live')}${half}`)),
      );
      for (const connection of all) expect((await connection.answer()).status).toBe(200);
      const open = () => all.filter(({ closed }) => !closed);
      await until(() => open().length <= MAX_HEADS);
      const [rest] = open().slice(-1);
      rest?.write('st: x\r\n\r\n');
      expect((await rest?.answer())?.status).toBe(404);
      expect(open()).toHaveLength(MAX_HEADS);
    });

    it('are refused after ten seconds when they follow a complete request, and closed silently before a byte', async () => {
      // Otherwise Node would close the connection as idle before the ten seconds are over.
      const server: Server = app.nest.getHttpServer();
      server.keepAliveTimeout = 60_000;
      const connection = await opened(`${head('GET /health/live')}GET / HTTP/1.1\r\nHo`);
      const silent = await opened('');
      expect((await connection.answer()).status).toBe(200);
      expectEnvelope(await connection.answer(12_000), 'VALIDATION_ERROR');
      await until(() => connection.closed && silent.closed, 5000);
      expect(silent.isSilent).toBe(true);
    }, 20_000);

    it('do not include idle connections, or responses and bodies in progress', async () => {
      const idle = await Promise.all(
        Array.from({ length: MAX_HEADS + 20 }, () => opened(head('GET /health/live'))),
      );
      for (const connection of idle) expect((await connection.answer()).status).toBe(200);
      const slow = await Promise.all(
        Array.from({ length: MAX_HEADS + 20 }, () => opened(`${patchMe(JSON_BODY, 'Content-Length: 100')}{`)),
      );
      const heads = await Promise.all(Array.from({ length: MAX_HEADS + 1 }, () => opened('GET /')));
      await until(() => heads.some(({ closed }) => closed));
      expect([...idle, ...slow].filter(({ closed }) => closed)).toEqual([]);
    });
  });

  describe('a body that is too large', () => {
    it.each([
      ['by its length', `Content-Length: ${LIMIT + 1}`, ''],
      [
        'while it arrives',
        'Transfer-Encoding: chunked',
        `${(LIMIT + 1).toString(16)}\r\n${'x'.repeat(LIMIT + 1)}`,
      ],
    ])(
      'is refused %s with Connection: close, and the connection ends after the response',
      async (_, field, body) => {
        const connection = await opened(`${patchMe(JSON_BODY, field)}${body}`);
        const answer = await connection.answer();
        expectEnvelope(answer, 'PAYLOAD_TOO_LARGE');
        expect(answer.headers.connection).toBe('close');
        await until(() => connection.closed, 5000);
        expect(connection.failure).toBeNull();
      },
    );

    it('also ends a connection early that refuses it for another reason', async () => {
      const connection = await opened(
        head('POST /api/users/import', 'Content-Type: text/csv', 'Transfer-Encoding: chunked'),
      );
      const answer = await connection.answer();
      expectEnvelope(answer, 'UNAUTHORIZED');
      expect(answer.headers.connection).toBe('close');
      await until(() => connection.closed, 5000);
    });
  });

  describe('Expect', () => {
    const waits = 'Expect: 100-continue';

    it('gets 100 when the service is about to read the body', async () => {
      const body = JSON.stringify({ name: 'Patient' });
      const connection = await opened(patchMe(JSON_BODY, waits, `Content-Length: ${body.length}`));
      expect((await connection.answer()).status).toBe(100);
      connection.write(body);
      expect(await connection.answer()).toMatchObject({ status: 200, json: { name: 'Patient' } });
    });

    it.each([
      ['too large', [JSON_BODY, `Content-Length: ${LIMIT + 1}`], 'PAYLOAD_TOO_LARGE'],
      ['of another type', ['Content-Type: text/plain', 'Content-Length: 5'], 'UNSUPPORTED_MEDIA_TYPE'],
    ] as const)('does not get 100 when the body is %s', async (_, fields, code) => {
      const answer = await (await opened(patchMe(waits, ...fields))).answer();
      expectEnvelope(answer, code);
      expect(answer.headers.connection).toBe('close');
    });

    it('does not get 100 when the caller lacks access', async () => {
      const anonymous = head('PATCH /api/users/me', waits, JSON_BODY, 'Content-Length: 5');
      expectEnvelope(await (await opened(anonymous)).answer(), 'UNAUTHORIZED');
    });

    it('gets 417 and ends the connection for any other expectation', async () => {
      const connection = await opened(head('GET /health/live', 'Expect: miracles'));
      const answer = await connection.answer();
      expectEnvelope(answer, 'VALIDATION_ERROR', 417);
      expect(answer.headers.connection).toBe('close');
      await until(() => connection.closed, 5000);
    });
  });

  it.each([
    ['two hosts', head('GET /health/live', 'Host: x')],
    ['an invalid host', 'GET /health/live HTTP/1.1\r\nHost: a b\r\n\r\n'],
    ['a host with a path', 'GET /health/live HTTP/1.1\r\nHost: a/b\r\n\r\n'],
    ['a host that differs from the address', head('GET http://y/health/live')],
    ['two tokens', head('GET /api/users/me', 'Authorization: Bearer a', 'authorization: Bearer b')],
    ['two types', head('POST /api/users', JSON_BODY, JSON_BODY, 'Content-Length: 0')],
    ['two keys', head('POST /api/users', 'Idempotency-Key: a', 'Idempotency-Key: b', 'Content-Length: 0')],
    ['two origins', head('GET /health/live', 'Origin: https://a.example', 'Origin: https://b.example')],
    ['the same length twice', head('POST /api/users', 'Content-Length: 0', 'Content-Length: 0')],
    ['chunks twice', head('POST /api/users', 'Transfer-Encoding: chunked, chunked')],
    ['another coding than chunks', head('POST /api/users', 'Transfer-Encoding: gzip, chunked')],
    ['chunks in HTTP/1.0', 'POST /api/users HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
  ])('returns 400 for %s and closes the connection', async (_, bytes) => {
    const connection = await opened(bytes);
    const answer = await connection.answer();
    expectEnvelope(answer, 'VALIDATION_ERROR');
    expect(answer.headers.connection).toBe('close');
    await until(() => connection.closed, 5000);
  });

  it('accepts lists in several fields, and a full URL of this host', async () => {
    const fields = ['If-None-Match: "a"', 'If-None-Match: "b"', 'Accept: text/html', 'Accept: */*'];
    const connection = await opened(head('GET http://x/health/live', ...fields));
    expect((await connection.answer()).status).toBe(200);
  });
});
