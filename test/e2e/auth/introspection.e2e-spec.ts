import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import supertest from 'supertest';
import { SigningKeysService } from '../../../src/modules/auth/signing-keys/signing-keys.service.js';
import {
  claimsOf,
  headerOf,
  logIn,
  type Pair,
  presentRefresh,
  refreshed,
  statusOf,
} from '../../support/builders/sessions.js';
import { type TestUser, TestApp } from '../../support/app/test-app.js';
import { createUserWith } from '../../support/builders/users.js';

const FORM = 'application/x-www-form-urlencoded';
/** Texts that cannot be tokens, but that somebody may present as one. */
const ODD_TOKENS = [
  ['empty', ''],
  ['longer than any token', 'x'.repeat(4097)],
  ['nearly as long as a form', 'x'.repeat(15_900)],
  ['full of control characters', 'a\n\t\u0000\u007fb'],
  ['in other letters', 'токен'],
] as const;

let app: TestApp;
let service: TestUser;
beforeAll(async () => {
  app = await TestApp.create({ config: { RATE_LIMIT_INTROSPECT: 50, RATE_LIMIT_AUTHENTICATED: 5 } });
  service = await createUserWith(app, ['tokens:introspect']);
});
afterAll(() => app?.close());

const introspect = (token: string) => app.as(service, 'post', '/api/auth/introspect').send({ token });
const revoke = (token: string) => supertest(app.url).post('/api/auth/revoke').send({ token });
async function signedIn(roles = ['user']): Promise<{ user: TestUser; pair: Pair }> {
  const user = await app.createUser(roles);
  return { user, pair: await logIn(app.url, user.email) };
}

describe('POST /api/auth/introspect', () => {
  it('tells what the user of an access token may do now', async () => {
    const { user, pair } = await signedIn(['user', 'auditor']);
    const claims = claimsOf(pair.access_token);
    const answer = await introspect(pair.access_token).expect(200);
    expect(answer.get('Cache-Control')).toContain('no-store');
    expect(answer.body).toEqual({
      active: true,
      token_type: 'Bearer',
      sub: user.id,
      sid: claims.sid,
      jti: claims.jti,
      roles: ['auditor', 'user'],
      permissions: ['audit:read', 'events:read', 'users:read'],
      exp: claims.exp,
      iat: claims.iat,
      iss: 'http://localhost:3000',
      aud: 'gatehouse:api',
      client_id: 'gatehouse',
    });
    const roles = app.as(app.admin, 'put', `/api/users/${user.id}/roles`).set('If-Match', '*');
    await roles.send({ roles: ['user'] }).expect(200);
    expect((await introspect(pair.access_token)).body).toMatchObject({ roles: ['user'], permissions: [] });
  });

  it('takes a form, as clients of RFC 7662 send it', async () => {
    const { pair } = await signedIn();
    const sent = new URLSearchParams({ token: pair.access_token, token_type_hint: 'access_token' });
    const answer = await app
      .as(service, 'post', '/api/auth/introspect')
      .set('Content-Type', `${FORM};charset=UTF-8`)
      .send(sent.toString());
    expect(answer.body).toMatchObject({ active: true });
  });

  it.each([
    [
      'a sign-out',
      (pair: Pair) => supertest(app.url).post('/api/auth/logout').auth(pair.access_token, { type: 'bearer' }),
    ],
    [
      'a deletion',
      (pair: Pair) => app.as(app.admin, 'delete', `/api/users/${claimsOf(pair.access_token).sub}`),
    ],
    [
      'a disabled user',
      (pair: Pair) =>
        app
          .as(app.admin, 'patch', `/api/users/${claimsOf(pair.access_token).sub}`)
          .send({ status: 'disabled' }),
    ],
  ])('calls a token inactive right after %s', async (_, end) => {
    const { pair } = await signedIn();
    expect((await introspect(pair.access_token)).body).toMatchObject({ active: true });
    expect((await end(pair)).status).toBeLessThan(300);
    expect((await introspect(pair.access_token)).body).toEqual({ active: false });
  });

  it('calls refresh tokens and everything else inactive, and says no more about it', async () => {
    const { pair } = await signedIn();
    for (const token of [pair.refresh_token, `${pair.access_token}x`, 'a.b.c', '?'])
      expect((await introspect(token).expect(200)).body).toEqual({ active: false });
  });

  it.each(ODD_TOKENS)('calls a token that is %s inactive, in JSON and in a form', async (_, token) => {
    expect((await introspect(token).expect(200)).body).toEqual({ active: false });
    const sent = app.as(service, 'post', '/api/auth/introspect').set('Content-Type', FORM);
    const answer = await sent.send(new URLSearchParams({ token }).toString()).expect(200);
    expect(answer.body).toEqual({ active: false });
  });

  it.each([
    ['no token', {}, 'token is required'],
    ['a number', { token: 5 }, 'token must be a string'],
    ['null', { token: null }, 'token must be a string'],
    ['an unknown property', { token: 'x', resource: 'y' }, 'resource is not a known property'],
  ])('refuses %s', async (_, body, message) => {
    const answer = await app.as(service, 'post', '/api/auth/introspect').send(body).expect(400);
    expect(answer.body).toMatchObject({ error: { code: 'VALIDATION_ERROR', message } });
  });

  it('refuses callers without the permission', async () => {
    const { user, pair } = await signedIn();
    await app.as(user, 'post', '/api/auth/introspect').send({ token: pair.access_token }).expect(403);
    await supertest(app.url).post('/api/auth/introspect').send({ token: pair.access_token }).expect(401);
  });

  it('counts in a limit of its own, and in no other', async () => {
    const caller = await createUserWith(app, ['tokens:introspect']);
    const ask = () => app.as(caller, 'post', '/api/auth/introspect').send({ token: 'x' });
    const left = async () => /r=(\d+)/.exec((await ask().expect(200)).get('RateLimit') ?? '')?.[1];
    expect((await ask()).get('RateLimit-Policy')).toBe('"introspect";q=50;w=60');
    for (let i = 0; i < 10; i++) await ask().expect(200);
    expect(await left()).toBe('38');
    const me = await app.as(caller, 'get', '/api/users/me').expect(200);
    expect(me.get('RateLimit')).toMatch(/^"authenticated";r=4;/);
    for (let i = 0; i < 38; i++) await ask().expect(200);
    await ask().expect(429);
  });
});

describe('POST /api/auth/revoke', () => {
  it('ends the session of an access token at once', async () => {
    const { user, pair } = await signedIn();
    const answer = await revoke(pair.access_token).expect(200);
    expect(answer.text).toBe('');
    expect(await statusOf(app.url, pair.access_token)).toBe(401);
    expect((await presentRefresh(app.url, pair.refresh_token)).status).toBe(401);
    // Another session of the same user goes on.
    expect(await statusOf(app.url, user.token)).toBe(200);
  });

  it('ends the session of a refresh token, sent as a form with a client id', async () => {
    const { user, pair } = await signedIn();
    const sent = new URLSearchParams({ token: pair.refresh_token, client_id: 'gatehouse' });
    await supertest(app.url)
      .post('/api/auth/revoke')
      .set('Content-Type', FORM)
      .send(sent.toString())
      .expect(200);
    expect(await statusOf(app.url, pair.access_token)).toBe(401);
    const query = new URLSearchParams({ target_id: user.id, action: 'auth.logout' }).toString();
    const entries = await app.as(app.admin, 'get', `/api/audit?${query}`).expect(200);
    expect(entries.body).toMatchObject([
      {
        actor: { type: 'user', id: user.id, session_id: claimsOf(pair.access_token).sid },
        outcome: 'success',
      },
    ]);
  });

  it('returns 200 for a token that is not valid, and for one that was revoked before', async () => {
    const { pair } = await signedIn();
    for (const token of ['x', 'a.b.c', pair.refresh_token, pair.refresh_token])
      expect((await revoke(token).expect(200)).text).toBe('');
  });

  describe('with an access token that has expired', () => {
    const forged = (token: string, head: object, body: object, key: KeyObject | null = null): string => {
      const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url');
      const claims = { ...claimsOf(token), exp: Math.floor(Date.now() / 1000) - 60, ...body };
      const input = `${encode({ ...headerOf(token), ...head })}.${encode(claims)}`;
      const ours = app.nest.get(SigningKeysService).signingKey('access').privateKey;
      const options = { key: key ?? ours, dsaEncoding: 'ieee-p1363' } as const;
      return `${input}.${sign('sha256', Buffer.from(input), options).toString('base64url')}`;
    };

    it('ends the session, although the token is inactive', async () => {
      const { pair } = await signedIn();
      const expired = forged(pair.access_token, {}, {});
      expect((await introspect(expired)).body).toEqual({ active: false });
      expect(await statusOf(app.url, pair.access_token)).toBe(200);
      expect((await revoke(expired).expect(200)).text).toBe('');
      expect(await statusOf(app.url, pair.access_token)).toBe(401);
      expect((await presentRefresh(app.url, pair.refresh_token)).status).toBe(401);
    });

    it.each<[string, object, object, KeyObject | null]>([
      ['is signed by another key', {}, {}, generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey],
      ['is signed by a key that is gone', { kid: 'gone' }, {}, null],
      ['is of another type', { typ: 'JWT' }, {}, null],
      ['is of another issuer', {}, { iss: 'http://localhost:3001' }, null],
      ['is for another audience', {}, { aud: 'gatehouse:refresh' }, null],
    ])('ends nothing when it %s', async (_, head, body, key) => {
      const { pair } = await signedIn();
      await revoke(forged(pair.access_token, head, body, key)).expect(200);
      expect(await statusOf(app.url, pair.access_token)).toBe(200);
    });
  });

  it.each(ODD_TOKENS)('returns 200 for a token that is %s', async (_, token) => {
    expect((await revoke(token).expect(200)).text).toBe('');
  });

  it('ends the session of a spent refresh token too', async () => {
    const { pair } = await signedIn();
    const next = await refreshed(app.url, pair.refresh_token);
    await revoke(pair.refresh_token).expect(200);
    expect(await statusOf(app.url, next.access_token)).toBe(401);
  });
});

describe('a form', () => {
  const send = (body: string, type = FORM) =>
    supertest(app.url).post('/api/auth/revoke').set('Content-Type', type).send(body);

  it.each([
    ['a parameter that is given twice', 'token=a&token=b', 'token'],
    ['an unknown parameter that is given twice', 'token=a&more=b&more=c', 'body'],
    ['a nested parameter in place of the token', 'token[a]=b', 'token'],
    ['too many parameters', `token=a&${Array.from({ length: 100 }, (__, n) => `p${n}=`).join('&')}`, 'body'],
    ['a forbidden parameter name', '__proto__=1&token=a', 'body'],
    ['broken percent-encoding', 'token=%zz', 'body'],
    ['invalid UTF-8', 'token=%ff', 'body'],
    ['no token', '', 'token'],
  ])('is refused with %s', async (_, body, field) => {
    const answer = await send(body).expect(400);
    expect(answer.body).toMatchObject({ error: { code: 'VALIDATION_ERROR' } });
    expect(JSON.stringify(answer.body)).toContain(`"field":"${field}"`);
  });

  it('may have parameters that the service does not know, and ends the session all the same', async () => {
    const { pair } = await signedIn();
    const sent = new URLSearchParams({
      token: pair.refresh_token,
      token_type_hint: 'any\u0000thing',
      client_id: 'a'.repeat(300),
      client_secret: 'secret\u0007',
      resource: 'https://api.example',
    });
    await send(sent.toString()).expect(200);
    expect(await statusOf(app.url, pair.access_token)).toBe(401);
  });

  it('is refused without a word about unknown parameters', async () => {
    const answer = await send('s3cret=a&s3cret=b').expect(400);
    expect(answer.text).not.toContain('s3cret');
    expect(answer.body).toMatchObject({ error: { message: 'body must not contain a parameter twice' } });
  });

  it('is limited to 16 kB', async () => {
    await send(`token=${'x'.repeat(15_990)}`).expect(200);
    await send(`token=${'x'.repeat(16_000)}`).expect(413);
  });

  it('is named by the refusal of any other type', async () => {
    const answer = await send('token=a', 'text/plain').expect(415);
    const message = `Send the body as application/json or ${FORM} in UTF-8, uncompressed`;
    expect(answer.body).toMatchObject({ error: { code: 'UNSUPPORTED_MEDIA_TYPE', message } });
  });

  it('is taken on these routes alone', async () => {
    const login = supertest(app.url).post('/api/auth/login').set('Content-Type', FORM);
    await login.send('email=a@example.com&password=secret').expect(415);
  });
});

describe('the metadata', () => {
  it.each(['oauth-authorization-server', 'openid-configuration'])('is served as %s', async (name) => {
    const answer = await supertest(app.url).get(`/.well-known/${name}`).expect(200);
    expect(answer.get('Cache-Control')).toBe('public, max-age=300');
    expect(answer.body).toEqual({
      issuer: 'http://localhost:3000',
      jwks_uri: 'http://localhost:3000/.well-known/jwks.json',
      introspection_endpoint: 'http://localhost:3000/api/auth/introspect',
      introspection_endpoint_auth_methods_supported: ['Bearer'],
      revocation_endpoint: 'http://localhost:3000/api/auth/revoke',
      revocation_endpoint_auth_methods_supported: ['none'],
      response_types_supported: [],
      grant_types_supported: [],
      id_token_signing_alg_values_supported: ['ES256'],
    });
  });
});
