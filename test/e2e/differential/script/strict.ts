import { METRICS_TOKEN } from '../metrics-token.js';
import type { Ask, Group, Step } from '../step.types.js';
import { adminSignsIn, signIn, signUp } from './cast.js';

const fromNetwork = (ask: Ask, network: string): Ask => ({
  ...ask,
  headers: { ...ask.headers, 'X-Forwarded-For': network },
});
const times = (count: number, ask: Ask): Ask[] =>
  Array.from({ length: count }, (_, index) => ({ ...ask, title: `${ask.title ?? ''} ${index + 1}`.trim() }));

/** The limits of each kind of caller, until they are reached. */
export const limits: Group = {
  name: 'limits',
  service: 'strict',
  steps: [
    fromNetwork(adminSignsIn, '198.51.100.1'),
    fromNetwork(signUp('ada'), '198.51.100.2'),
    fromNetwork(signIn('ada'), '198.51.100.2'),
    ...times(5, fromNetwork({ request: 'GET /api/users/me', title: 'anonymous' }, '198.51.100.3')),
    fromNetwork({ request: 'GET /api/users/me', title: 'another network' }, '198.51.100.4'),
    ...times(2, fromNetwork({ request: 'GET /api/users/me', title: 'one /64' }, '2001:db8::1')),
    fromNetwork({ request: 'GET /api/users/me', title: 'the same /64' }, '2001:db8::2'),
    fromNetwork(
      { request: 'GET /api/users/me', title: 'an invalid token', headers: { Authorization: 'Bearer x' } },
      '198.51.100.3',
    ),
    fromNetwork({ request: 'HEAD /api/users/me', title: 'over the limit' }, '198.51.100.3'),
    fromNetwork(
      {
        request: 'GET /api/users/me',
        title: 'a problem over the limit',
        headers: { Accept: 'application/problem+json' },
      },
      '198.51.100.3',
    ),
    fromNetwork({ request: 'GET /api', title: 'a public route over the limit' }, '198.51.100.3'),
    fromNetwork({ request: 'GET /health/live', title: 'a probe over the limit' }, '198.51.100.3'),
    fromNetwork({ request: 'GET /api/nothing', title: 'an unknown path over the limit' }, '198.51.100.3'),
    fromNetwork({ request: 'PUT /api/users', title: 'a wrong method over the limit' }, '198.51.100.3'),
    ...times(4, { request: 'PATCH /api/users/me', as: 'ada', title: 'of a user', body: '{' }),
    ...times(2, {
      request: 'PATCH /api/users/me',
      as: 'ada',
      title: 'of a user, over the limit',
      body: { name: 'X' },
    }),
    ...times(4, fromNetwork({ request: 'POST /api/auth/login', title: 'sign-in', body: {} }, '198.51.100.5')),
    fromNetwork(
      { request: 'POST /api/auth/login', title: 'sign-in with a token', as: 'admin', body: {} },
      '198.51.100.5',
    ),
    ...[
      'POST /api/auth/refresh',
      'POST /api/users',
      'POST /api/auth/password/forgot',
      'POST /api/auth/password/reset',
      'POST /api/auth/email/verify',
      'POST /api/auth/email/resend',
    ].map((request) =>
      fromNetwork({ request, title: 'over the limit of sign-in', body: {} }, '198.51.100.5'),
    ),
    ...times(3, { request: 'GET /api/users/me', as: 'admin', title: 'of an administrator' }),
  ],
};

/** Requests that production mode answers differently. */
export const production: Group = {
  name: 'production',
  service: 'strict',
  steps: [
    ...[undefined, 'Bearer another', `Bearer ${METRICS_TOKEN}x`, `Basic ${METRICS_TOKEN}`].map(
      (value): Ask => ({
        request: 'GET /metrics',
        title: value ?? 'no token',
        ...(value !== undefined && { headers: { Authorization: value } }),
      }),
    ),
    { request: 'GET /metrics', title: 'the token', headers: { Authorization: `bEARER ${METRICS_TOKEN}` } },
    { request: 'HEAD /metrics', title: 'no token' },
    { request: 'GET /' },
    { request: 'GET /', title: 'a browser', headers: { Accept: 'text/html' } },
    { request: 'GET /docs' },
    { request: 'GET /docs/swagger-ui.css' },
    { request: 'GET /openapi.json' },
    { request: 'GET /health' },
    { request: 'GET /health/live', title: 'an origin', headers: { Origin: 'https://app.example.com' } },
    {
      request: 'OPTIONS /api/users/me',
      title: 'a preflight',
      headers: { Origin: 'https://app.example.com', 'Access-Control-Request-Method': 'GET' },
    },
    fromNetwork(
      { request: 'GET /api/users/me', title: 'a compressed refusal', headers: { 'Accept-Encoding': 'gzip' } },
      '198.51.100.20',
    ),
  ],
};

const LOCK_ADA = `SELECT 1 FROM users WHERE id = '<ada.id>' FOR UPDATE`;

/** Failures of the database, and requests over their time limit. */
export const failures: Group = {
  name: 'failures',
  service: 'strict',
  steps: [
    { sql: `ALTER TABLE users ADD CONSTRAINT broken CHECK (name <> 'Break') NOT VALID` },
    {
      request: 'PATCH /api/users/<ada.id>',
      as: 'admin',
      title: 'that the database refuses',
      body: { name: 'Break' },
    },
    {
      request: 'PATCH /api/users/<ada.id>',
      as: 'admin',
      title: 'that the database refuses, as a problem',
      headers: { Accept: 'application/problem+json' },
      body: { name: 'Break' },
    },
    fromNetwork(
      {
        request: 'POST /api/users',
        title: 'that the database refuses',
        body: { email: 'b@example.com', name: 'Break', password: 'correct horse battery' },
      },
      '198.51.100.30',
    ),
    fromNetwork(
      {
        request: 'POST /api/users',
        title: 'that the database refuses, with a key',
        headers: { 'Idempotency-Key': 'break' },
        body: { email: 'b@example.com', name: 'Break', password: 'correct horse battery' },
      },
      '198.51.100.30',
    ),
    {
      lock: LOCK_ADA,
      asks: [
        {
          request: 'PATCH /api/users/<ada.id>',
          as: 'admin',
          title: 'that waits too long',
          body: { name: 'Late' },
        },
        { request: 'DELETE /api/users/<ada.id>', as: 'admin', title: 'that waits too long' },
        fromNetwork(
          {
            request: 'POST /api/users/<ada.id>/restore',
            as: 'admin',
            title: 'that waits too long, with a key',
            headers: { 'Idempotency-Key': 'late' },
          },
          '198.51.100.31',
        ),
        {
          title: 'a body that never arrives',
          raw: 'POST /api/users HTTP/1.1\r\nHost: gatehouse.test\r\nX-Forwarded-For: 198.51.100.32\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{"na',
        },
      ],
    },
    { request: 'GET /api/users/<ada.id>', as: 'admin', title: 'after the failures' },
  ],
};

const READY: Step[] = [
  { request: 'GET /health' },
  { request: 'GET /health/ready' },
  { request: 'GET /health/live' },
  { request: 'HEAD /health/ready' },
];

/** Answers while the service stops. */
export const stopping: Group = {
  name: 'stopping',
  service: 'strict',
  steps: [
    { signal: 'SIGTERM' },
    ...READY,
    { request: 'GET /api/users/me', as: 'admin' },
    fromNetwork({ request: 'GET /api/users/me' }, '198.51.100.40'),
    { request: 'GET /api/nothing' },
    { request: 'GET /api/export/users?format=csv&fields=email', as: 'admin' },
  ],
};
