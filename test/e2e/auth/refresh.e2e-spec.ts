import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Response } from 'supertest';
import { newId } from '../../../src/common/ids.js';
import { variables } from '../../../src/config/config.schema.js';
import { SigningKeysService } from '../../../src/modules/auth/signing-keys/signing-keys.service.js';
import {
  ageSpent,
  type Claims,
  claimsOf,
  expectPair,
  headerOf,
  logIn,
  type Pair,
  presentRefresh,
  refreshed,
  respelled,
  statusOf,
  whileChanging,
} from '../../support/builders/sessions.js';
import { HeldLock } from '../../support/database/held-lock.js';
import { TestApp } from '../../support/app/test-app.js';
import { until } from '../../support/app/until.js';

/** The maximum grace period, so that only ageing by SQL ends it and never a slow machine. */
const GRACE_SECONDS = 60;
const DAY = 86_400;

describe('POST /api/auth/refresh', () => {
  let app: TestApp;
  let email: string;
  let userId: string;
  beforeAll(async () => {
    app = await TestApp.create({ config: { REFRESH_GRACE_SECONDS: GRACE_SECONDS } });
    ({ email, id: userId } = await app.createUser());
  });
  afterAll(() => app.close());

  const login = () => logIn(app.url, email);
  const present = (token: string) => presentRefresh(app.url, token);
  const refresh = (token: string) => refreshed(app.url, token);

  function expectRefused(answer: Response): void {
    expect([answer.status, answer.get('WWW-Authenticate')]).toEqual([401, 'Bearer error="invalid_token"']);
    expect(answer.body).toMatchObject({ error: { code: 'UNAUTHORIZED' } });
  }

  const facts = (token: string): Pick<Claims, 'jti' | 'iat' | 'exp'> => {
    const { jti, iat, exp } = claimsOf(token);
    return { jti, iat, exp };
  };

  /** Returns the one live token of each session. */
  const liveTokens = async (sid: string): Promise<string[]> =>
    (
      await app.database.query<{ jti: string }>(
        'SELECT jti FROM refresh_tokens WHERE session_id = $1 AND spent_at IS NULL',
        [sid],
      )
    ).map(({ jti }) => jti);

  describe('the tokens of a session', () => {
    it('are of two kinds, belong to one session, and live 15 minutes and 30 days', async () => {
      const pair = await login();
      const access = claimsOf(pair.access_token);
      const token = claimsOf(pair.refresh_token);
      expect(access.exp - access.iat).toBe(900);
      expect(pair.expires_in).toBe(900);
      expect(headerOf(pair.refresh_token)).toMatchObject({ typ: 'rt+jwt', alg: 'ES256' });
      expect(token).toEqual({
        sub: userId,
        jti: expect.any(String),
        sid: access.sid,
        iat: expect.any(Number),
        exp: expect.any(Number),
        iss: 'http://localhost:3000',
        aud: 'gatehouse:refresh',
      });
      expect(token.jti).not.toBe(access.jti);
      // Both expiries are truncated to the second, never rounded up.
      expect([30 * DAY - 1, 30 * DAY]).toContain(token.exp - token.iat);
      expect(variables.REFRESH_GRACE_SECONDS.default).toBe('10');
      expect(variables.SESSION_MAX_SECONDS.default).toBe(String(90 * DAY));
    });

    it('live as long as configured, and no longer than their session', async () => {
      const config = {
        ACCESS_TOKEN_TTL_SECONDS: 70,
        REFRESH_TOKEN_TTL_SECONDS: 7200,
        SESSION_MAX_SECONDS: 3600,
      };
      const other = await TestApp.create({ config, database: app.database });
      try {
        const pair = await logIn(other.url, email);
        const [access, token] = [claimsOf(pair.access_token), claimsOf(pair.refresh_token)];
        expect([access.exp - access.iat, pair.expires_in]).toEqual([70, 70]);
        expect([3599, 3600]).toContain(token.exp - token.iat);
      } finally {
        await other.close();
      }
    });

    it('are not stored, except for the id of the refresh token', async () => {
      const { refresh_token: token } = await login();
      const rows = await app.database.query<{ row: string }>(
        `SELECT t::text AS row FROM refresh_tokens t WHERE jti = $1`,
        [claimsOf(token).jti],
      );
      expect(rows).toHaveLength(1);
      for (const secret of token.split('.')) expect(rows[0]?.row).not.toContain(secret);
    });

    it('are extended by every refresh to 30 days from then, up to the end of the session', async () => {
      const pair = await login();
      const { sid } = claimsOf(pair.refresh_token);
      await app.database.query(
        `UPDATE sessions SET expires_at = now() + interval '1 hour', ends_at = now() + interval '40 days' WHERE id = $1`,
        [sid],
      );
      const next = await refresh(pair.refresh_token);
      const slid = claimsOf(next.refresh_token);
      expect([30 * DAY - 1, 30 * DAY]).toContain(slid.exp - slid.iat);

      const rows = await app.database.query<{ end: number }>(
        `UPDATE sessions SET ends_at = now() + interval '20 days' WHERE id = $1
         RETURNING floor(extract(epoch FROM ends_at))::integer AS end`,
        [sid],
      );
      const last = claimsOf((await refresh(next.refresh_token)).refresh_token);
      expect(last.exp).toBe(rows[0]?.end);
    });

    it('expire with the session', async () => {
      const pair = await login();
      expect(await statusOf(app.url, pair.access_token)).toBe(200);
      await app.database.query(
        `WITH aged AS (UPDATE sessions SET expires_at = now() - interval '1 second' WHERE id = $1)
         SELECT pg_notify('gatehouse_principals', $1::text)`,
        [claimsOf(pair.access_token).sid],
      );
      expectRefused(await present(pair.refresh_token));
      await until(async () => (await statusOf(app.url, pair.access_token)) === 401);
    });
  });

  it('returns a new pair for the same session and forbids caching', async () => {
    const pair = await login();
    const answer = await present(pair.refresh_token);
    expectPair(answer);
    const next = answer.body as Pair;
    const ids = [pair, next].flatMap((each) => [claimsOf(each.access_token), claimsOf(each.refresh_token)]);
    expect(new Set(ids.map(({ jti }) => jti)).size).toBe(4);
    expect(new Set(ids.map(({ sid }) => sid)).size).toBe(1);
    expect(await statusOf(app.url, next.access_token)).toBe(200);
    expect(await statusOf(app.url, pair.access_token)).toBe(200);
  });

  it('puts the current roles into the new access token', async () => {
    const user = await app.createUser();
    const pair = await logIn(app.url, user.email);
    await app
      .as(app.admin, 'put', `/api/users/${user.id}/roles`)
      .set('If-Match', '*')
      .send({ roles: ['user', 'premium'] })
      .expect(200);
    const next = await refresh(pair.refresh_token);
    expect(claimsOf(next.access_token).roles?.toSorted()).toEqual(['premium', 'user']);
  });

  it('needs no access token and ignores an invalid one', async () => {
    const pair = await login();
    const answer = await app
      .request('post', '/api/auth/refresh')
      .set('Authorization', 'Bearer expired.long.ago')
      .send({ refresh_token: pair.refresh_token });
    expect(answer.status).toBe(200);
  });

  describe('a spent token', () => {
    it('returns the same successor to all concurrent and repeated callers in the grace period', async () => {
      const { refresh_token: token } = await login();
      // All of them start before the first may proceed. They are fewer than the pool has connections.
      const racing = await whileChanging(
        app.database,
        { sql: 'SELECT 1 FROM sessions WHERE id = $1 FOR UPDATE', values: [claimsOf(token).sid] },
        { start: () => Array.from({ length: 8 }, () => refresh(token)) },
      );
      await ageSpent(app.database, token, GRACE_SECONDS / 2);
      const [first, ...others] = [...racing, await refresh(token)].map((pair) => facts(pair.refresh_token));
      expect(first?.jti).not.toBe(claimsOf(token).jti);
      for (const other of others) expect(other).toEqual(first);
      expect(await liveTokens(claimsOf(token).sid)).toEqual([first?.jti]);
    });

    it('returns the same successor if it was presented in time but waited for the lock past the grace period', async () => {
      const { refresh_token: token } = await login();
      const next = await refresh(token);
      const { sid } = claimsOf(token);
      await ageSpent(app.database, token, GRACE_SECONDS - 1.5);
      const lock = await HeldLock.take(app.database.url, 'SELECT 1 FROM sessions WHERE id = $1 FOR UPDATE', [
        sid,
      ]);
      const presentedAt = performance.now();
      const waiting = refresh(token);
      await until(async () => (await lock.waiting()) === 1);
      // Longer than the rest of the grace period, and shorter than the lock timeout of a request (3 s).
      await until(() => performance.now() - presentedAt > 2200);
      await lock.release();
      expect(facts((await waiting).refresh_token)).toEqual(facts(next.refresh_token));
      expect(await statusOf(app.url, next.access_token)).toBe(200);
      await refresh(next.refresh_token);
    });

    it('returns the same successor even if that was spent meanwhile', async () => {
      const { refresh_token: token } = await login();
      const second = await refresh(token);
      const third = await refresh(second.refresh_token);
      const again = await refresh(token);
      expect(facts(again.refresh_token)).toEqual(facts(second.refresh_token));
      // Its holder continues with the same token as the others.
      expect(facts((await refresh(again.refresh_token)).refresh_token)).toEqual(facts(third.refresh_token));
      expect(await liveTokens(claimsOf(token).sid)).toEqual([claimsOf(third.refresh_token).jti]);
    });

    it('counts as theft afterwards: the session ends and its access tokens are refused at once', async () => {
      const other = await login();
      const pair = await login();
      const next = await refresh(pair.refresh_token);
      for (const { access_token: token } of [pair, next]) expect(await statusOf(app.url, token)).toBe(200);
      await ageSpent(app.database, pair.refresh_token, GRACE_SECONDS + 1);
      expectRefused(await present(pair.refresh_token));
      for (const { access_token: token } of [pair, next]) expect(await statusOf(app.url, token)).toBe(401);
      for (const { refresh_token: token } of [pair, next]) expectRefused(await present(token));
      const { sid } = claimsOf(pair.access_token);
      expect(await app.database.query('SELECT 1 FROM sessions WHERE id = $1', [sid])).toEqual([]);
      expect(await app.database.query('SELECT 1 FROM refresh_tokens WHERE session_id = $1', [sid])).toEqual(
        [],
      );
      expect(await statusOf(app.url, other.access_token)).toBe(200);
      await refresh(other.refresh_token);
    });

    it('counts as theft even if its session has long moved on', async () => {
      const first = await login();
      let pair = first;
      for (let i = 0; i < 3; i++) pair = await refresh(pair.refresh_token);
      await ageSpent(app.database, first.refresh_token, DAY);
      expectRefused(await present(first.refresh_token));
      expect(await statusOf(app.url, pair.access_token)).toBe(401);
    });

    const kept = async (sid: string): Promise<string[]> =>
      (
        await app.database.query<{ jti: string }>('SELECT jti FROM refresh_tokens WHERE session_id = $1', [
          sid,
        ])
      ).map(({ jti }) => jti);

    it('is deleted a minute after the grace period and still counts as theft', async () => {
      const pairs = [await login()];
      for (let i = 0; i < 3; i++) pairs.push(await refresh(String(pairs.at(-1)?.refresh_token)));
      const [old, lately, current, live] = pairs.map((pair) => pair.refresh_token) as [
        string,
        string,
        string,
        string,
      ];
      await ageSpent(app.database, old, GRACE_SECONDS + 61);
      await ageSpent(app.database, lately, GRACE_SECONDS + 20);
      const next = await refresh(live);
      const { jti, sid } = claimsOf(next.refresh_token);
      expect((await kept(sid)).toSorted()).toEqual(
        [...[lately, current, live].map((token) => claimsOf(token).jti), jti].toSorted(),
      );
      expect(await statusOf(app.url, next.access_token)).toBe(200);
      expectRefused(await present(old));
      expect(await statusOf(app.url, next.access_token)).toBe(401);
      expectRefused(await present(next.refresh_token));
      expect(await kept(sid)).toEqual([]);
    });
  });

  describe('refuses', () => {
    let ours: KeyObject;
    let pair: Pair;
    beforeAll(async () => {
      ours = app.nest.get(SigningKeysService).signingKey('refresh').privateKey;
      pair = await login();
    });

    const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    const forge = (head: object, body: object, key: KeyObject = ours): string => {
      const { refresh_token: token } = pair;
      const input = `${encode({ ...headerOf(token), ...head })}.${encode({ ...claimsOf(token), ...body })}`;
      const signature = sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' });
      return `${input}.${signature.toString('base64url')}`;
    };
    const now = () => Math.floor(Date.now() / 1000);

    it.each<[string, () => string]>([
      ['an access token', () => pair.access_token],
      ['text that is not a token', () => 'abc'],
      ['empty parts', () => '..'],
      ['only the id of a token', () => claimsOf(pair.refresh_token).jti],
      ['one that has expired', () => forge({}, { exp: now() - 1 })],
      ['one of another issuer', () => forge({}, { iss: 'http://localhost:3001' })],
      ['one for another audience', () => forge({}, { aud: 'gatehouse:api' })],
      ['one with the type of access tokens', () => forge({ typ: 'at+jwt' }, {})],
      ['one without a type', () => forge({ typ: undefined }, {})],
      ['one that names an unknown key', () => forge({ kid: 'theirs' }, {})],
      [
        'one that another key signed',
        () => forge({}, {}, generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey),
      ],
      ['one without a signature', () => forge({ alg: 'none' }, {}).replace(/[^.]+$/, '')],
      ['one whose signature is spelled differently', () => respelled(pair.refresh_token)],
      ['one without an id', () => forge({}, { jti: undefined })],
      ['one of a session that does not exist', () => forge({}, { sid: newId() })],
      [
        'one that was edited',
        () => {
          const [head, , signature] = pair.refresh_token.split('.');
          return `${head}.${encode({ ...claimsOf(pair.refresh_token), exp: now() + 9_999_999 })}.${signature}`;
        },
      ],
    ])('%s', async (_, token) => expectRefused(await present(token())));

    it.each([
      ['nothing', {}],
      ['an empty token', { refresh_token: '' }],
      ['a token that is not text', { refresh_token: ['a'] }],
      ['an overlong token', { refresh_token: 'x'.repeat(5000) }],
      ['another property', { refresh_token: 'a', access_token: 'b' }],
    ])('%s with 400', async (_, body) => {
      const answer = await app.request('post', '/api/auth/refresh').send(body);
      expect(answer.status).toBe(400);
      expect(answer.body).toMatchObject({ error: { code: 'VALIDATION_ERROR' } });
    });

    it('one of another session, and ends that session, because only a thief could have it', async () => {
      const other = await login();
      expectRefused(await present(forge({}, { sid: claimsOf(other.access_token).sid })));
      expect(await statusOf(app.url, other.access_token)).toBe(401);
    });

    it('all of the above without affecting the session', async () => {
      expect(await statusOf(app.url, pair.access_token)).toBe(200);
      // This one differs from a forged token in nothing, so each change above is what failed.
      expect((await present(forge({}, {}))).status).toBe(200);
    });
  });

  it('issues tokens that no other route accepts', async () => {
    const { refresh_token: token } = await login();
    const doors = [
      ['get', '/api/users/me'],
      ['get', '/api/users'],
      ['get', '/api/auth/sessions'],
      ['delete', '/api/auth/sessions'],
      ['post', '/api/auth/logout'],
      ['put', '/api/auth/password'],
    ] as const;
    for (const [method, path] of doors) {
      const answer = await app.request(method, path).auth(token, { type: 'bearer' });
      expect([path, answer.status, answer.get('WWW-Authenticate')]).toEqual([
        path,
        401,
        'Bearer error="invalid_token"',
      ]);
    }
    await refresh(token);
  });
});
