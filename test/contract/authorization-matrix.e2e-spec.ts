import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { JwtService } from '@nestjs/jwt';
import { ConfigModule } from '../../src/config/config.module.js';
import type { Config } from '../../src/config/config.js';
import { SigningKeysService } from '../../src/modules/auth/signing-keys/signing-keys.service.js';
import { TokensService } from '../../src/modules/auth/sessions/tokens.service.js';
import { sealed } from '../support/builders/audit.js';
import { expectEnvelope } from '../support/http/envelope.js';
import { endedImportOf } from '../support/builders/imports.js';
import { type ResourceBody, resourcesOf } from '../support/builders/resources.js';
import { sessionIdOf } from '../support/builders/sessions.js';
import { type Answer, bearer, closeConnections, send } from '../support/http/send.js';
import { type TestUser, ADMIN, PASSWORD, signIn, TestApp } from '../support/app/test-app.js';
import { NOBODY } from '../support/builders/users.js';
import { createWebhook } from '../support/builders/webhooks.js';
import { routesOf } from '../support/docs/routes.js';

/** Callers with access. `{id}` in a path is the id of `user`, or of a record that belongs to `user`. */
const ALIVE = ['nobody', 'user', 'other', 'premium', 'auditor', 'admin'] as const;
/** Callers whose tokens were valid once. */
const DEAD = ['disabled', 'deleted', 'expired', 'logged-out'] as const;
type Caller = (typeof ALIVE)[number] | (typeof DEAD)[number];

/** `in`: the request passes authorization. It then succeeds or fails for its input. */
type Verdict = 'in' | '401' | '403' | '404';

interface Request {
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** The request ends sessions, so the next caller signs in again. */
  readonly endsSessions?: true;
}

/** Input that is invalid on its own, so that the request changes nothing for the next row. */
const WRONG = { body: { wrong: true } };
const WRONG_FILE = { headers: { 'Content-Type': 'text/csv' }, body: 'wrong' };
/** A stream would not end. */
const WRONG_POSITION = { headers: { 'Last-Event-ID': 'wrong' } };
const WRONG_VERSION = { headers: { 'If-Match': '"0"' } };
const ENDS = { endsSessions: true } as const;

/**
 * The access rules of API.md as a table. Dead tokens follow from the first column: they pass where anonymous
 * callers pass, and otherwise get 401.
 */
const MATRIX: Readonly<Record<string, readonly [verdicts: string, request?: Request]>> = {
  //                                   nobody user other premium auditor admin
  'POST /api/users': ['                in     in   in    in      in      in ', WRONG],
  'GET /api/users': ['                 401    403  403   403     in      in '],
  'GET /api/users/me': ['              401    in   in    in      in      in '],
  'PATCH /api/users/me': ['            401    in   in    in      in      in ', WRONG],
  'GET /api/users/{id}': ['            401    in   404   404     in      in '],
  'PATCH /api/users/{id}': ['          401    403  403   403     403     in ', WRONG],
  'PUT /api/users/{id}/email': ['      401    403  403   403     403     in ', WRONG],
  'POST /api/users/{id}/password-reset': ['401  403  403   403     403     in '],
  'PUT /api/users/{id}/roles': ['      401    403  403   403     403     in ', WRONG],
  'DELETE /api/users/{id}': ['         401    in   404   404     404     in ', WRONG_VERSION],
  'POST /api/users/{id}/restore': ['   401    403  403   403     403     in '],
  'POST /api/users/{id}/erase': ['     401    403  403   403     403     in '],
  'GET /api/users/{id}/data': ['       401    in   404   404     404     in '],
  'GET /api/users/{id}/sessions': ['   401    403  403   403     403     in '],
  'DELETE /api/users/{id}/sessions': ['401    403  403   403     403     in ', ENDS],
  'DELETE /api/users/{id}/sessions/{session_id}': ['401 403 403 403 403 in ', ENDS],
  'GET /api/users/{id}/events': ['     401    in   404   404     in      in '],
  'GET /api/events': ['                401    403  403   403     in      in '],
  'GET /api/events/stream': ['         401    403  403   403     in      in ', WRONG_POSITION],
  'GET /api/users/me/events/stream': ['401    in   in    in      in      in ', WRONG_POSITION],
  'POST /api/notifications/tickets': ['401    in   in    in      in      in '],
  'GET /api/audit': ['                 401    403  403   403     in      in '],
  'GET /api/audit/{id}': ['            401    403  403   403     in      in '],
  'GET /api/export/users': ['          401    403  403   403     403     in '],
  'GET /api/export/audit': ['          401    403  403   403     403     in '],
  'GET /api/flags': ['                 401    in   in    in      in      in '],
  'GET /api/flags/{key}': ['           401    403  403   403     403     in '],
  'PUT /api/flags/{key}': ['           401    403  403   403     403     in ', WRONG],
  'POST /ofrep/v1/evaluate/flags': ['  401    in   in    in      in      in ', WRONG],
  'POST /ofrep/v1/evaluate/flags/{key}': ['401 in in in in in ', WRONG],
  'GET /api/roles': ['                 401    in   in    in      in      in '],
  'GET /api/roles/{name}': ['          401    in   in    in      in      in '],
  'PUT /api/roles/{name}': ['          401    403  403   403     403     in ', WRONG],
  'DELETE /api/roles/{name}': ['       401    403  403   403     403     in '],
  'POST /api/auth/login': ['           in     in   in    in      in      in ', WRONG],
  'POST /api/auth/refresh': ['         in     in   in    in      in      in ', WRONG],
  'POST /api/auth/introspect': ['      401    403  403   403     403     in ', WRONG],
  'POST /api/auth/revoke': ['          in     in   in    in      in      in ', WRONG],
  'POST /api/auth/logout': ['          401    in   in    in      in      in ', ENDS],
  'GET /api/auth/sessions': ['         401    in   in    in      in      in '],
  'DELETE /api/auth/sessions': ['      401    in   in    in      in      in ', ENDS],
  'DELETE /api/auth/sessions/{id}': [' 401    in   in    in      in      in ', ENDS],
  'PUT /api/auth/password': ['         401    in   in    in      in      in ', WRONG],
  'POST /api/auth/password/forgot': [' in     in   in    in      in      in ', WRONG],
  'POST /api/auth/password/reset': ['  in     in   in    in      in      in ', WRONG],
  'POST /api/auth/email/verify': ['    in     in   in    in      in      in ', WRONG],
  'POST /api/auth/email/resend': ['    in     in   in    in      in      in ', WRONG],
  'POST /api/users/me/email': ['       401    in   in    in      in      in ', WRONG],
  'GET /api/audit/seals': ['           401    403  403   403     in      in '],
  'GET /api/audit/seals/latest': ['    401    403  403   403     in      in '],
  'GET /api/audit/{id}/proof': ['      401    403  403   403     in      in '],
  'POST /api/audit/verify': ['         401    403  403   403     in      in ', WRONG],
  'POST /api/resources': ['            401    in   in    in      in      in ', WRONG],
  'GET /api/resources': ['             401    in   in    in      in      in '],
  'GET /api/resources/{id}': ['        401    in   404   404     404     in '],
  'DELETE /api/resources/{id}': ['     401    in   404   404     404     in ', WRONG_VERSION],
  'POST /api/resources/transfer': ['   401    in   in    in      in      in ', WRONG],
  'POST /api/users/batch': ['          401    403  403   403     403     in ', WRONG],
  'POST /api/users/import': ['         401    403  403   403     403     in ', WRONG_FILE],
  'GET /api/jobs': ['                  401    in   in    in      in      in '],
  'GET /api/jobs/{id}': ['             401    in   404   404     404     in '],
  'GET /api/jobs/{id}/results': ['     401    in   404   404     404     in '],
  'GET /api/jobs/{id}/rejected': ['    401    in   404   404     404     in '],
  'GET /api/jobs/{id}/stream': ['      401    in   404   404     404     in '],
  'DELETE /api/jobs/{id}': ['          401    in   404   404     404     in '],
  'POST /api/webhooks': ['             401    403  403   403     403     in ', WRONG],
  'GET /api/webhooks': ['              401    403  403   403     403     in '],
  'GET /api/webhooks/{id}': ['         401    403  403   403     403     in '],
  'PATCH /api/webhooks/{id}': ['       401    403  403   403     403     in ', WRONG],
  'DELETE /api/webhooks/{id}': ['      401    403  403   403     403     in ', WRONG_VERSION],
  'POST /api/webhooks/{id}/rotate-secret': ['401 403 403 403 403 in ', WRONG_VERSION],
  'POST /api/webhooks/{id}/replay': [' 401    403  403   403     403     in ', WRONG],
  'POST /api/webhooks/{id}/test': ['   401    403  403   403     403     in '],
  'GET /api/webhooks/{id}/deliveries': ['401 403 403 403 403 in '],
  'POST /api/webhooks/{id}/deliveries/{delivery_id}/redeliver': ['401 403 403 403 403 in '],
  'GET /api/operations/info': ['       401    403  403   403     403     in '],
  'PUT /api/operations/log-level': ['  401    403  403   403     403     in ', WRONG],
  'GET /.well-known/jwks.json': ['     in     in   in    in      in      in '],
  'GET /.well-known/oauth-authorization-server': [' in in in in in in '],
  'GET /.well-known/openid-configuration': ['       in in in in in in '],
  'GET /': ['                          in     in   in    in      in      in '],
  'GET /api': ['                       in     in   in    in      in      in '],
  'GET /health': ['                    in     in   in    in      in      in '],
  'GET /health/live': ['               in     in   in    in      in      in '],
  'GET /health/ready': ['              in     in   in    in      in      in '],
  'GET /health/startup': ['            in     in   in    in      in      in '],
  'GET /metrics': ['                   in     in   in    in      in      in '],
};

function verdictOn(row: string, caller: Caller): Verdict {
  const verdicts = row.trim().split(/ +/) as Verdict[];
  if (verdicts.length !== ALIVE.length) throw new Error(`invalid row: ${row}`);
  const column = (ALIVE as readonly Caller[]).indexOf(caller);
  return (column < 0 ? verdicts[0] : verdicts[column]) ?? '401';
}

describe('authorization', () => {
  let app: TestApp;
  /** The id of an audit entry. */
  let entryId: string;
  /** A resource of `user`. */
  let resourceId: string;
  /** A job of `user`, who had the permission when requesting it. */
  let jobId: string;
  /** A paused webhook and a delivery of it. */
  let webhookId: string;
  let deliveryId: string;
  const users = new Map<Caller, TestUser>();
  const password = (caller: Caller): string => (caller === 'admin' ? ADMIN.password : PASSWORD);

  beforeAll(async () => {
    app = await TestApp.create();
    users.set('admin', app.admin);
    for (const caller of ['user', 'other', ...DEAD] as const) users.set(caller, await app.createUser());
    for (const role of ['premium', 'auditor'] as const) users.set(role, await app.createUser(['user', role]));
    const as = (caller: Caller) => idOf(caller);
    await app
      .as(app.admin, 'patch', `/api/users/${as('disabled')}`)
      .send({ status: 'disabled' })
      .expect(200);
    await app.as(app.admin, 'delete', `/api/users/${as('deleted')}`).expect(204);
    await app.as(user('logged-out'), 'post', '/api/auth/logout').expect(204);
    const [entry] = (await app.as(app.admin, 'get', '/api/audit')).body as [{ id: string }];
    entryId = entry.id;
    await sealed(app, [entryId]);
    [{ id: resourceId }] = (await resourcesOf(app, user('user'), 1)) as [ResourceBody];
    jobId = await endedImportOf(app, user('user'));
    webhookId = (await createWebhook(app, 'https://receiver.example/hooks', ['user.deleted'])).id;
    const webhook = `/api/webhooks/${webhookId}`;
    await app.as(app.admin, 'patch', webhook).send({ status: 'paused' }).expect(200);
    deliveryId = ((await app.as(app.admin, 'post', `${webhook}/test`)).body as { id: string }).id;
    users.set('expired', { ...user('expired'), token: expiredToken(user('expired')) });
  });
  afterAll(() => {
    closeConnections();
    return app.close();
  });

  function user(caller: Caller): TestUser {
    const found = users.get(caller);
    if (!found) throw new Error(`no user for caller ${caller}`);
    return found;
  }
  const idOf = (caller: Caller): string => user(caller).id;

  /** Returns a token signed with our own key for a live session. Only its expiry makes it invalid. */
  function expiredToken(of: TestUser): string {
    const config = app.nest.get<Config>(ConfigModule.token);
    const tokens = new TokensService(
      { ...config, ACCESS_TOKEN_TTL_SECONDS: -1 },
      app.nest.get(JwtService, { strict: false }),
      app.nest.get(SigningKeysService),
    );
    return tokens.issueAccess(
      { id: of.id, email: of.email, emailVerified: false, roles: ['user'] },
      sessionIdOf(of),
    );
  }

  async function ask(name: string, caller: Caller, { body, headers }: Request): Promise<Answer> {
    const [method = '', pattern = ''] = name.split(' ');
    const own = caller === 'nobody' ? NOBODY : sessionIdOf(user(caller));
    const path = pattern
      .replace('/sessions/{id}', `/sessions/${own}`)
      .replace('/audit/{id}', `/audit/${entryId}`)
      .replace('/resources/{id}', `/resources/${resourceId}`)
      .replace('/jobs/{id}', `/jobs/${jobId}`)
      .replace('/webhooks/{id}', `/webhooks/${webhookId}`)
      .replace('{delivery_id}', deliveryId)
      .replace('{id}', idOf('user'))
      .replace('{session_id}', sessionIdOf(user('user')))
      .replace('{key}', 'signup')
      .replace('{name}', 'auditor');
    const authorization = caller === 'nobody' ? {} : bearer(user(caller));
    return send(app.url, { method, path, headers: { ...authorization, ...headers }, body });
  }

  function expectVerdict(verdict: Verdict, caller: Caller, answer: Answer): void {
    if (verdict === 'in') {
      expect([200, 201, 202, 204, 400, 409, 412]).toContain(answer.status);
      return;
    }
    if (verdict === '401') {
      expectEnvelope(answer, 'UNAUTHORIZED');
      const challenge = caller === 'nobody' ? 'Bearer' : 'Bearer error="invalid_token"';
      expect(answer.headers['www-authenticate']).toBe(challenge);
    } else expectEnvelope(answer, verdict === '403' ? 'FORBIDDEN' : 'NOT_FOUND');
  }

  it('has a row for every route and no other row', () => {
    expect(Object.keys(MATRIX).toSorted()).toEqual(routesOf(app).toSorted());
  });

  describe.each(Object.entries(MATRIX))('%s', (name, [row, request = {}]) => {
    it.each([...ALIVE, ...DEAD])('is correct for caller %s', async (caller) => {
      const verdict = verdictOn(row, caller);
      const answer = await ask(name, caller, request);
      expectVerdict(verdict, caller, answer);
      if (name.startsWith('GET ')) {
        const head = await ask(name.replace('GET', 'HEAD'), caller, request);
        expect(head.status).toBe(answer.status);
      }
      if (request.endsSessions !== true || verdict !== 'in') return;
      for (const ended of new Set([caller, 'user'] as const)) {
        if (ended !== 'nobody') users.set(ended, await signIn(app.url, user(ended).email, password(ended)));
      }
    });
  });
});
