import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createConfig, lintFromString } from '@redocly/openapi-core';
import supertest from 'supertest';
import { errorCodes } from '../../src/common/errors/error-codes.js';
import {
  answerChecker,
  type Document,
  documentsTag,
  hasOwnError,
  type Operation,
  operationsOf,
  operationsThatTell,
  type Response as OpenApiResponse,
  securityOf,
  withoutBounds,
  withResponses,
} from '../support/docs/openapi-document.js';
import { Instance } from '../support/app/instance.js';
import { askAboutSeals } from '../support/builders/audit.js';
import { askAboutHistory } from '../support/http/history-answers.js';
import { askAboutJobs } from '../support/http/job-answers.js';
import type { Ask } from '../support/http/ask.js';
import { askAboutRoles } from '../support/http/role-answers.js';
import { askAboutResources } from '../support/builders/resources.js';
import { askAboutWebhooks } from '../support/http/webhook-answers.js';
import {
  askAboutSessions,
  askToChangeEmail,
  askToConfirmEmail,
  askToResetPassword,
} from '../support/http/auth-answers.js';
import { MASTER_KEY } from '../support/app/secrets.js';
import { ADMIN, PASSWORD, signIn, TestApp } from '../support/app/test-app.js';
import { lacksExample } from '../support/docs/examples.js';
import { askAboutOperations } from '../support/http/operation-answers.js';
import { askAboutFlags } from '../support/http/flag-answers.js';
import { routesOf } from '../support/docs/routes.js';
import type { TestDatabase } from '../support/database/test-database.js';

const MAIL_DIR = mkdtempSync(join(tmpdir(), 'gatehouse-mail-'));

/** The public operations. Every other route requires an access token. */
const OPEN = new Set([
  'GET /',
  'GET /api',
  'POST /api/users',
  'POST /api/auth/login',
  'POST /api/auth/refresh',
  'POST /api/auth/password/forgot',
  'POST /api/auth/password/reset',
  'POST /api/auth/email/verify',
  'POST /api/auth/email/resend',
  'POST /api/auth/revoke',
  'GET /.well-known/jwks.json',
  'GET /.well-known/oauth-authorization-server',
  'GET /.well-known/openid-configuration',
  'GET /health',
  'GET /health/live',
  'GET /health/ready',
  'GET /health/startup',
]);

// The Swagger plugin generates the schemas, and only the real build runs it. The document therefore comes
// from a process of the built service, and the routes from an app in this one.
describe('the OpenAPI document', () => {
  let app: TestApp;
  let instance: Instance;
  let text: string;
  /** With the shared responses in place of the references to them. */
  let document: Document;

  beforeAll(async () => {
    // Both take tasks from one queue, so both must write mails to the same place.
    app = await TestApp.create({ config: { MAIL_DIR } });
    instance = await Instance.start({
      env: {
        ...app.database.addresses,
        PUBLIC_URL: 'https://accounts.gatehouse.test',
        LOG_LEVEL: 'silent',
        MASTER_KEY,
        MAIL_DIR,
      },
    });
    text = (await supertest(instance.url).get('/openapi.json').expect(200)).text;
    document = withResponses(JSON.parse(text) as Document);
  });
  afterAll(async () => {
    await instance?.stop();
    await app?.close();
  });

  /** Returns the names of the operations for which `fault` returns an error. */
  const faulty = (fault: (operation: Operation, name: string) => boolean): string[] =>
    operationsOf(document)
      .filter(([name, operation]) => fault(operation, name))
      .map(([name]) => name);

  it('is OpenAPI 3.1 and passes the recommended rules', async () => {
    expect(document.openapi).toMatch(/^3\.1\./);
    const config = await createConfig({ extends: ['recommended'] });
    const problems = await lintFromString({ source: text, config });
    expect(
      problems.map(({ ruleId, message, location }) => `${ruleId} ${message} ${location[0]?.pointer}`),
    ).toEqual([]);
  });

  it('contains every route of the service and no other', () => {
    expect(
      operationsOf(document)
        .map(([name]) => name)
        .toSorted(),
    ).toEqual(routesOf(app).toSorted());
  });

  it('names, summarizes and tags every operation', () => {
    expect(faulty(({ operationId }) => !operationId)).toEqual([]);
    expect(faulty(({ summary, description }) => !(summary || description))).toEqual([]);
    expect(faulty(({ tags }) => tags?.length !== 1)).toEqual([]);
    const ids = operationsOf(document).map(([, operation]) => operation.operationId);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('requires the access token on every route except public ones', () => {
    const stated = operationsOf(document).map(([name, { security }]) => [name, security]);
    expect(stated).toEqual(operationsOf(document).map(([name]) => [name, securityOf(name, OPEN)]));
  });

  it('has a schema and an example for every successful response with a body', () => {
    expect(faulty((operation) => lacksExample(document, operation))).toEqual([]);
  });

  /** Every such route is marked `@NoStore`; test/e2e/auth/compression calls all that are long enough to compress. */
  it('has tokens in the responses of sign-in, refresh, password change and tickets, and secrets in those of webhooks that make one', () => {
    expect(operationsThatTell(document, /(?:token|secret|ticket)$/)).toEqual([
      'POST /api/auth/login',
      'POST /api/auth/refresh',
      'POST /api/notifications/tickets',
      'POST /api/webhooks',
      'POST /api/webhooks/{id}/rotate-secret',
      'PUT /api/auth/password',
    ]);
  });

  it('has the error envelope, with an example of each code, for every refusal', () => {
    const codes = Object.entries(errorCodes);
    for (const [name, { responses }] of operationsOf(document)) {
      for (const [status, { content }] of Object.entries(responses)) {
        if (Number(status) < 400 || hasOwnError(name, status)) continue;
        const media = content?.['application/json'];
        expect([name, status, media?.schema]).toEqual([
          name,
          status,
          { $ref: '#/components/schemas/ErrorResponse' },
        ]);
        const shown = Object.values(media?.examples ?? {}).map(
          ({ value }) => (value as { error: { code: string } }).error.code,
        );
        const expected = codes.filter(([, row]) => String(row.status) === status).map(([code]) => code);
        expect([name, status, shown]).toEqual([name, status, expect.arrayContaining(expected)]);
        expect([name, status, shown.length > 0]).toEqual([name, status, true]);
        expect([name, status, Object.keys(content ?? {})]).toEqual([name, status, ['application/json']]);
      }
    }
  });

  it('documents the Idempotency-Key and its replies on every POST of the API except those for sign-in and tickets', () => {
    const posts = operationsOf(document).filter(([name]) => name.startsWith('POST '));
    const told = posts.map(([name, { parameters = [], responses }]) => {
      const headersOf = ([, { headers = {} }]: [string, OpenApiResponse]) => Object.keys(headers);
      const successes = Object.entries(responses).filter(([status]) => status.startsWith('2'));
      return {
        name,
        taken: parameters.some((each) => each.in === 'header' && each.name === 'Idempotency-Key'),
        replayed: successes.flatMap(headersOf).includes('Idempotency-Replayed'),
        waits: Object.keys(responses['409']?.headers ?? {}).includes('Retry-After'),
        mismatch: responses['422'] !== undefined,
      };
    });
    expect(told).toEqual(
      posts.map(([name]) => {
        const is = /^POST \/api\/(?!auth\/|notifications\/)/.test(name);
        // The body is streamed, so the key alone decides.
        const mismatch = is && name !== 'POST /api/users/import';
        return { name, taken: is, replayed: is, waits: is, mismatch };
      }),
    );
  });

  it('bounds every parameter and every property of a body, except tokens, which may be any text', () => {
    const unbounded = operationsOf(document).flatMap(([name, operation]) => {
      const parameters = (operation.parameters ?? [])
        .filter((parameter) => parameter.in !== 'header')
        .flatMap((parameter) => withoutBounds(document, parameter.schema, `${name} ${parameter.name}`));
      const bodies = Object.values(operation.requestBody?.content ?? {}).flatMap(({ schema = {} }) =>
        withoutBounds(document, schema, name),
      );
      return [...parameters, ...bodies];
    });
    const judged = /^POST \/api\/auth\/(?:introspect|revoke) (?:token|token_type_hint|client_id)$/;
    expect(unbounded.filter((name) => !judged.test(name))).toEqual([]);
    expect(unbounded).toContain('POST /api/auth/introspect token');
  });

  it('describes every property of the real responses', async () => {
    const check = answerChecker(document);
    const answers = await realAnswers(instance.url, app.database);
    expect(answers.flatMap(check)).toEqual([]);
    expect(
      answers.filter((answer) => documentsTag(document, answer) !== (answer.etag !== undefined)),
    ).toEqual([]);
    const succeeded = new Set(answers.filter(({ status }) => status < 300).map(({ operation }) => operation));
    // Add a request to realAnswers() for each route that is missing here.
    expect(
      operationsOf(document)
        .map(([name]) => name)
        .filter((name) => !succeeded.has(name)),
    ).toEqual([]);
  });

  it('detects a response with an extra or missing property', () => {
    const check = answerChecker(document);
    const answer = { operation: 'POST /api/auth/login', status: 200, type: 'application/json' };
    const body = { access_token: 'a', token_type: 'Bearer', expires_in: 900 };
    expect(check({ ...answer, body: { ...body, ...loginExtras(document) } })).toEqual([]);
    expect(check({ ...answer, body: { ...body, ...loginExtras(document), more: 1 } })).not.toEqual([]);
    expect(check({ ...answer, body: { access_token: 'a' } })).not.toEqual([]);
  });

  it('is displayed by Swagger UI without a redirect, and the page can load all its files', async () => {
    const page = await supertest(instance.url).get('/docs').expect(200);
    expect(page.text).toMatch(/<title>[^<]*Swagger UI[^<]*<\/title>/);
    const policy = page.get('content-security-policy') ?? '';
    expect(policy).toContain("script-src 'self'");
    expect(policy).toMatch(/style-src 'self' 'unsafe-inline'/);
    expect(policy).toContain("connect-src 'self'");
    // The policy allows no inline scripts, so each script has a source.
    expect(page.text).not.toMatch(/<script(?![^>]*\bsrc=)/);
    const sources = [...page.text.matchAll(/(?:src|href)="([^"#]+)"/g)].map((match) => match[1] ?? '');
    expect(sources.filter((source) => /\.(?:js|css)$/.test(source)).length).toBeGreaterThanOrEqual(4);
    for (const source of sources) {
      const url = new URL(source, `${instance.url}/docs`);
      expect(url.origin).toBe(new URL(instance.url).origin);
      const answer = await supertest(url.origin).get(url.pathname);
      expect([source, answer.status]).toEqual([source, 200]);
      expect(answer.get('content-type')).toMatch(typeOf(source));
    }
  });

  it('lets Swagger UI authorize with the access token', () => {
    expect(document.components).toHaveProperty(['securitySchemes', 'bearer'], {
      type: 'http',
      scheme: 'bearer',
      bearerFormat: 'JWT',
    });
  });

  it('is absent along with its page if DOCS=false', async () => {
    const silent = await TestApp.create({ config: { DOCS: false } });
    try {
      for (const path of ['/docs', '/docs/', '/openapi.json', '/docs/swagger-ui-init.js']) {
        const answer = await silent.request('get', path);
        expect([path, answer.status, answer.body]).toMatchObject([
          path,
          404,
          { error: { code: 'NOT_FOUND' } },
        ]);
      }
    } finally {
      await silent.close();
    }
  });
});

/** Returns the additional properties of later versions of the response, with their examples. */
function loginExtras(document: Document): object {
  const known = ['access_token', 'token_type', 'expires_in'];
  const all = Object.entries(document.components.schemas['TokenResponse']?.properties ?? {});
  return Object.fromEntries(
    all.filter(([key]) => !known.includes(key)).map(([key, { example }]) => [key, example]),
  );
}

function typeOf(source: string): RegExp {
  if (source.endsWith('.css')) return /^text\/css/;
  return source.endsWith('.js') ? /javascript/ : /^image\//;
}

/** Sends at least one request to every route, and some that are refused. */
async function realAnswers(url: string, database: TestDatabase) {
  const answers: {
    operation: string;
    status: number;
    type: string;
    etag: string | undefined;
    body: unknown;
  }[] = [];
  const admin = await signIn(url, ADMIN.email, ADMIN.password);
  const ask: Ask = async (operation, given = {}) => {
    const [method = '', pattern = ''] = operation.split(' ');
    const path =
      pattern
        .replace(/\{\w+\}/, given.key ?? '')
        .replace('{session_id}', given.session ?? '')
        .replace('{delivery_id}', given.delivery ?? '') + (given.query ?? '');
    const request = supertest(url)[method.toLowerCase() as 'get'](path);
    const token = 'token' in given ? given.token : admin.token;
    if (token !== undefined) void request.auth(token, { type: 'bearer' });
    if (given.body !== undefined) void request.send(given.body);
    const answer = await request.set(given.headers ?? {});
    const type = answer.get('content-type') ?? '';
    const body: unknown = type.startsWith('text/') ? answer.text : answer.body;
    answers.push({ operation, status: answer.status, type, etag: answer.get('ETag'), body });
    return answer;
  };

  for (const probe of ['', '/live', '/ready', '/startup'])
    await ask(`GET /health${probe}`, { token: undefined });
  for (const route of ['GET /', 'GET /api', 'GET /metrics']) await ask(route, { token: undefined });
  for (const name of ['jwks.json', 'oauth-authorization-server', 'openid-configuration'])
    await ask(`GET /.well-known/${name}`, { token: undefined });
  const { token } = await signIn(url, ADMIN.email, ADMIN.password);
  await ask('POST /api/auth/introspect', { body: { token } });
  await ask('POST /api/auth/revoke', { body: { token }, token: undefined });
  await ask('GET /health', { query: '?unknown=1', token: undefined });

  // The reset sets PASSWORD, so the password must differ until then.
  const person = { email: 'real@example.com', password: `${PASSWORD} at first`, name: 'Real Answer' };
  const created = await ask('POST /api/users', { body: person, token: undefined });
  const { id } = created.body as { id: string };
  const user = { key: id };
  await ask('POST /api/users', { body: person });
  const once = { headers: { 'Idempotency-Key': 'once' }, token: undefined };
  const another = { ...person, email: 'another@example.com' };
  await ask('POST /api/users', { ...once, body: another });
  await ask('POST /api/users', { ...once, body: another });
  await ask('POST /api/users', { ...once, body: person });
  await ask('POST /api/users', { body: { email: 'no' } });
  await ask('POST /api/users', { body: 'text', headers: { 'content-type': 'text/plain' } });
  await askToConfirmEmail(ask, MAIL_DIR, person.email);
  await askToResetPassword(ask, MAIL_DIR, person.email);
  await ask('POST /api/auth/login', { body: { email: person.email, password: PASSWORD }, token: undefined });
  await ask('POST /api/auth/login', {
    body: { email: person.email, password: 'another one' },
    token: undefined,
  });

  const some = await signIn(url, person.email, PASSWORD);
  // The reset has confirmed the address, so that nothing would be mailed.
  await ask('PUT /api/users/{id}/email', { ...user, body: { email: person.email, verified: false } });
  await ask('PUT /api/users/{id}/email', { ...user, body: { email: ADMIN.email } });
  await ask('POST /api/users/{id}/password-reset', user);
  await ask('POST /api/users/{id}/password-reset', { ...user, token: some.token });
  await askToChangeEmail(ask, some);
  await askAboutSessions(ask, some, id);
  await askAboutResources(ask, { id, token: some.token });
  await askAboutJobs(ask, { id, token: some.token });
  await askAboutFlags(ask, some.token);
  await askAboutOperations(ask, some.token);
  await ask('GET /api/users', { query: '?limit=2&total=exact' });
  await ask('GET /api/users', { token: some.token });
  await ask('GET /api/users', { query: '?limit=0' });
  await ask('GET /api/users/me', { token: some.token });
  await ask('GET /api/users/me', { token: undefined });
  await ask('PATCH /api/users/me', { token: some.token, body: { name: 'Another' } });
  await ask('PATCH /api/users/me', { token: some.token, body: {}, headers: { 'If-Match': '"99"' } });
  const read = await ask('GET /api/users/{id}', user);
  await ask('GET /api/users/{id}', { ...user, headers: { 'If-None-Match': read.get('etag') ?? '' } });
  await ask('GET /api/users/{id}', { ...user, key: 'no-id' });
  await ask('GET /api/users/{id}', { key: admin.id, token: some.token });
  await ask('PATCH /api/users/{id}', { ...user, body: { status: 'disabled' } });
  await ask('PATCH /api/users/{id}', { key: '0192f1c4-8a4e-7c31-9d52-3f6f0c2b7a10', body: {} });
  await ask('PUT /api/users/{id}/roles', { ...user, body: { roles: ['user'] } });
  const current = await ask('GET /api/users/{id}', user);
  await ask('PUT /api/users/{id}/roles', {
    ...user,
    body: { roles: ['user', 'premium'] },
    headers: { 'If-Match': current.get('etag') ?? '' },
  });
  await ask('POST /api/users/{id}/restore', user);
  await ask('DELETE /api/users/{id}', user);
  await ask('POST /api/users/{id}/restore', user);
  await ask('DELETE /api/users/{id}', { key: admin.id });
  await askAboutHistory(ask, user, url);
  await askAboutSeals(ask, database);

  for (const askAbout of [askAboutWebhooks, askAboutRoles]) await askAbout(ask);
  return answers;
}
