import type { Group, SendRaw } from '../step.types.js';

const raw = (title: string, bytes: string, answers = 1): SendRaw => ({ title, raw: bytes, answers });
const HOST = 'Host: gatehouse.test\r\n';
const JSON_TYPE = 'Content-Type: application/json\r\n';
const TOKEN = 'Authorization: Bearer <ada.token>\r\n';

/** Bytes that no well-behaved client sends. */
export const wire: Group = {
  name: 'wire',
  service: 'open',
  steps: [
    raw('HTTP/1.0', 'GET /health/live HTTP/1.0\r\n\r\n'),
    raw(
      'HTTP/1.0 that keeps its connection',
      `GET /health/live HTTP/1.0\r\n${HOST}Connection: keep-alive\r\n\r\n`,
    ),
    raw('HTTP/1.0 with a token', `GET /api/users/me HTTP/1.0\r\n${TOKEN}\r\n`),
    raw('HTTP/0.9', 'GET /health/live\r\n\r\n'),
    raw('HTTP/2.0', `GET /health/live HTTP/2.0\r\n${HOST}\r\n`),
    raw('no Host', 'GET /health/live HTTP/1.1\r\n\r\n'),
    raw('two Hosts', `GET /health/live HTTP/1.1\r\n${HOST}Host: other.test\r\n\r\n`),
    raw('an empty Host', 'GET /health/live HTTP/1.1\r\nHost:\r\n\r\n'),
    raw('a Host with a path', 'GET /health/live HTTP/1.1\r\nHost: a/b\r\n\r\n'),
    raw('a Host with a port', 'GET /health/live HTTP/1.1\r\nHost: gatehouse.test:8080\r\n\r\n'),
    raw('an absolute target', `GET http://gatehouse.test/health/live HTTP/1.1\r\n${HOST}\r\n`),
    raw('an absolute target of another host', `GET http://other.test/health/live HTTP/1.1\r\n${HOST}\r\n`),
    raw('an asterisk', `OPTIONS * HTTP/1.1\r\n${HOST}\r\n`),
    raw('a target without a slash', `GET health HTTP/1.1\r\n${HOST}\r\n`),
    raw('no target', `GET  HTTP/1.1\r\n${HOST}\r\n`),
    raw('an unknown method', `FOO /health HTTP/1.1\r\n${HOST}\r\n`),
    raw('a header without a colon', `GET /health/live HTTP/1.1\r\n${HOST}broken\r\n\r\n`),
    raw('a header with a blank before the colon', `GET /health/live HTTP/1.1\r\n${HOST}X-A : b\r\n\r\n`),
    raw('a folded header', `GET /health/live HTTP/1.1\r\n${HOST}X-A: b\r\n c\r\n\r\n`),
    raw('a header above ASCII', `GET /health/live HTTP/1.1\r\n${HOST}X-Request-Id: \xe9\r\n\r\n`),
    raw('a header of 20 kB', `GET /health/live HTTP/1.1\r\n${HOST}X-A: ${'a'.repeat(20_000)}\r\n\r\n`),
    raw('a header of 8 kB', `GET /health/live HTTP/1.1\r\n${HOST}X-A: ${'a'.repeat(8000)}\r\n\r\n`),
    raw('line feeds alone', 'GET /health/live HTTP/1.1\nHost: gatehouse.test\n\n'),
    raw(
      'three requests at once',
      `GET /health/live HTTP/1.1\r\n${HOST}\r\nGET /api/nothing HTTP/1.1\r\n${HOST}\r\nGET /api/users/me HTTP/1.1\r\n${HOST}${TOKEN}\r\n`,
      3,
    ),
    raw(
      'a body, then another request',
      `POST /api/auth/login HTTP/1.1\r\n${HOST}${JSON_TYPE}Content-Length: 2\r\n\r\n{}GET /health/live HTTP/1.1\r\n${HOST}\r\n`,
      2,
    ),
    raw(
      'a body of a GET',
      `GET /api/users/me HTTP/1.1\r\n${HOST}${TOKEN}Content-Length: 5\r\n\r\nhelloGET /health/live HTTP/1.1\r\n${HOST}\r\n`,
      2,
    ),
    raw(
      'a chunked body',
      `PATCH /api/users/me HTTP/1.1\r\n${HOST}${TOKEN}${JSON_TYPE}Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n`,
    ),
    raw(
      'a chunked body with an extension and a trailer',
      `PATCH /api/users/me HTTP/1.1\r\n${HOST}${TOKEN}${JSON_TYPE}Transfer-Encoding: chunked\r\n\r\n2;a=b\r\n{}\r\n0\r\nX-A: b\r\n\r\n`,
    ),
    raw(
      'a malformed chunk',
      `PATCH /api/users/me HTTP/1.1\r\n${HOST}${TOKEN}${JSON_TYPE}Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n`,
    ),
    raw(
      'two framings',
      `POST /api/users HTTP/1.1\r\n${HOST}${JSON_TYPE}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    ),
    raw(
      'another coding',
      `POST /api/users HTTP/1.1\r\n${HOST}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`,
    ),
    raw(
      'chunks twice',
      `POST /api/users HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n`,
    ),
    raw('chunks in HTTP/1.0', 'POST /api/users HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'),
    raw('two lengths', `POST /api/users HTTP/1.1\r\n${HOST}Content-Length: 0\r\nContent-Length: 0\r\n\r\n`),
    raw('a negative length', `POST /api/users HTTP/1.1\r\n${HOST}Content-Length: -1\r\n\r\n`),
    raw('no length', `POST /api/users HTTP/1.1\r\n${HOST}${JSON_TYPE}\r\n`),
    raw('two types', `POST /api/users HTTP/1.1\r\n${HOST}${JSON_TYPE}${JSON_TYPE}Content-Length: 0\r\n\r\n`),
    raw(
      'two origins',
      `GET /health/live HTTP/1.1\r\n${HOST}Origin: https://a.example\r\nOrigin: https://b.example\r\n\r\n`,
    ),
    raw('two ranges', `GET /health/live HTTP/1.1\r\n${HOST}Range: bytes=0-1\r\nRange: bytes=2-3\r\n\r\n`),
    raw(
      'a length above the limit',
      `PATCH /api/users/me HTTP/1.1\r\n${HOST}${TOKEN}${JSON_TYPE}Content-Length: 300001\r\n\r\n`,
    ),
    raw(
      'a length above the limit of public routes',
      `POST /api/users HTTP/1.1\r\n${HOST}${JSON_TYPE}Content-Length: 100001\r\n\r\n`,
    ),
    raw(
      'chunks above the limit',
      `PATCH /api/users/me HTTP/1.1\r\n${HOST}${TOKEN}${JSON_TYPE}Transfer-Encoding: chunked\r\n\r\n493e1\r\n${'x'.repeat(300_001)}`,
    ),
    raw(
      'an upload without a token',
      `POST /api/users/import HTTP/1.1\r\n${HOST}Content-Type: text/csv\r\nTransfer-Encoding: chunked\r\n\r\n`,
    ),
    raw('CONNECT', `CONNECT gatehouse.test:443 HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`),
  ],
};
