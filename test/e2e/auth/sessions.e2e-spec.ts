import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  claimsOf,
  logIn,
  type Pair,
  presentRefresh,
  refreshed,
  sessionIdOf,
  type SessionBody,
  statusOf,
  whileChanging,
} from '../../support/builders/sessions.js';
import { closeConnections, send } from '../../support/http/send.js';
import { type TestUser, PASSWORD, signIn, TestApp } from '../../support/app/test-app.js';
import { until } from '../../support/app/until.js';
import { createUserWith, nextPage, NOBODY } from '../../support/builders/users.js';

describe('sessions', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await TestApp.create();
  });
  afterAll(() => {
    closeConnections();
    return app.close();
  });

  const login = (user: TestUser): Promise<Pair> => logIn(app.url, user.email);
  const list = async (user: TestUser, query = ''): Promise<SessionBody[]> => {
    const answer = await app.as(user, 'get', `/api/auth/sessions${query}`);
    expect([answer.status, answer.get('Cache-Control')]).toEqual([200, 'no-store']);
    return answer.body as SessionBody[];
  };
  const idsOf = (sessions: readonly SessionBody[]): string[] => sessions.map(({ id }) => id);
  /** Returns, for each of its tokens, true if it is accepted. */
  const tokensOf = async (pair: Pair): Promise<[number, number]> => [
    await statusOf(app.url, pair.access_token),
    (await presentRefresh(app.url, pair.refresh_token)).status,
  ];
  const DEAD: [number, number] = [401, 401];
  const ALIVE: [number, number] = [200, 200];

  describe('POST /api/auth/logout', () => {
    it('returns 204 without a body and voids both tokens of the session at once', async () => {
      const user = await app.createUser();
      const [pair, other] = [await login(user), await login(user)];
      expect(await statusOf(app.url, pair.access_token)).toBe(200);
      const answer = await app
        .request('post', '/api/auth/logout')
        .auth(pair.access_token, { type: 'bearer' });
      expect([answer.status, answer.text]).toEqual([204, '']);
      expect(answer.get('Clear-Site-Data')).toBe('"cache", "storage"');
      expect(await tokensOf(pair)).toEqual(DEAD);
      expect(await tokensOf(other)).toEqual(ALIVE);
      expect(
        await app.database.query('SELECT 1 FROM sessions WHERE id = $1', [
          sessionIdOf({ token: pair.access_token }),
        ]),
      ).toEqual([]);
    });

    it('returns 401 without a live session', async () => {
      const none = await app.request('post', '/api/auth/logout');
      expect([none.status, none.get('WWW-Authenticate')]).toEqual([401, 'Bearer']);
      const user = await app.createUser();
      await app.as(user, 'post', '/api/auth/logout').expect(204);
      const again = await app.as(user, 'post', '/api/auth/logout');
      expect([again.status, again.get('WWW-Authenticate')]).toEqual([401, 'Bearer error="invalid_token"']);
      expect(again.get('Clear-Site-Data')).toBeUndefined();
    });

    it('returns 204 to both of two concurrent requests', async () => {
      const user = await app.createUser();
      const answers = await whileChanging(
        app.database,
        { sql: 'SELECT 1 FROM sessions WHERE id = $1 FOR UPDATE', values: [sessionIdOf(user)] },
        { start: () => [1, 2].map(() => app.as(user, 'post', '/api/auth/logout')) },
      );
      expect(answers.map(({ status }) => status)).toEqual([204, 204]);
    });

    it('wins against a refresh that waits for it', async () => {
      const user = await app.createUser();
      const pair = await login(user);
      const { sid } = claimsOf(pair.access_token);
      const [answer] = await whileChanging(
        app.database,
        { sql: 'DELETE FROM sessions WHERE id = $1', values: [sid] },
        { start: () => [presentRefresh(app.url, pair.refresh_token)] },
      );
      expect(answer?.status).toBe(401);
      expect(await app.database.query('SELECT 1 FROM refresh_tokens WHERE session_id = $1', [sid])).toEqual(
        [],
      );
    });
  });

  describe('GET /api/auth/sessions', () => {
    it('returns each session with its fields, and marks the current one', async () => {
      const user = await app.createUser();
      const pair = await login(user);
      const sessions = await list(user);
      const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
      const facts = { device: expect.any(String), ip: '127.0.0.1', created_at: time, expires_at: time };
      expect(sessions).toEqual([
        { id: sessionIdOf(user), ...facts, last_seen_at: time, current: true },
        { id: claimsOf(pair.access_token).sid, ...facts, last_seen_at: time, current: false },
      ]);
      for (const { created_at: created, expires_at: expires } of sessions) {
        expect(Date.parse(expires) - Date.parse(created)).toBe(2_592_000_000);
      }
      const asOther = await list({ ...user, token: pair.access_token });
      expect(asOther.map(({ current }) => current)).toEqual([false, true]);
    });

    it('returns the user agent without control characters, cut to 256 characters', async () => {
      const { email } = await app.createUser();
      const agent = `A\tB\u0085C${'x'.repeat(400)}`;
      const answer = await send(app.url, {
        method: 'POST',
        path: '/api/auth/login',
        headers: { 'User-Agent': agent },
        body: { email, password: PASSWORD },
      });
      const { access_token: token } = answer.json as Pair;
      const session = (await list({ id: '', email, token })).find(({ current }) => current);
      expect(session?.device).toBe(`A B C${'x'.repeat(251)}`);
      const silent = await send(app.url, {
        method: 'POST',
        path: '/api/auth/login',
        body: { email, password: PASSWORD },
      });
      const { access_token: other } = silent.json as Pair;
      expect((await list({ id: '', email, token: other })).find(({ current }) => current)?.device).toBe('');
    });

    it('was last seen when it began, and later at a whole minute', async () => {
      const user = await app.createUser();
      const set = (columns: string) =>
        app.database.query(`UPDATE sessions SET ${columns} WHERE id = $1`, [sessionIdOf(user)]);
      const seen = async () => (await list(user))[0];
      await set(`last_seen_at = date_trunc('minute', created_at)`);
      const fresh = await seen();
      expect(fresh?.last_seen_at).toBe(fresh?.created_at);
      await set(`created_at = '2026-01-01T12:04:59.5Z', last_seen_at = '2026-01-01T12:05:00Z'`);
      expect((await seen())?.last_seen_at).toBe('2026-01-01T12:05:00.000Z');
    });

    it('sets last_seen_at to the minute of the last use', async () => {
      const user = await app.createUser();
      const [before] = await list(user);
      await app.database.query(
        `WITH aged AS (UPDATE sessions SET last_seen_at = last_seen_at - interval '10 minutes' WHERE id = $1)
         SELECT pg_notify('gatehouse_principals', $1::text)`,
        [sessionIdOf(user)],
      );
      await until(async () => {
        const [now] = await list(user);
        return now !== undefined && before !== undefined && now.last_seen_at >= before.last_seen_at;
      });
    });

    it('omits expired sessions and those of other users', async () => {
      const [user, other] = [await app.createUser(), await app.createUser()];
      const pair = await login(user);
      await app.database.query(`UPDATE sessions SET expires_at = now() WHERE id = $1`, [
        claimsOf(pair.access_token).sid,
      ]);
      expect(idsOf(await list(user))).toEqual([sessionIdOf(user)]);
      expect(idsOf(await list(other))).toEqual([sessionIdOf(other)]);
      const { sid } = claimsOf(pair.access_token);
      expect((await app.as(user, 'delete', `/api/auth/sessions/${sid}`)).status).toBe(404);
    });

    it('pages like every list', async () => {
      const user = await app.createUser();
      for (let i = 0; i < 4; i++) await login(user);
      const all = idsOf(await list(user));
      expect(all).toHaveLength(5);
      const walked: string[] = [];
      let path: string | null = '/api/auth/sessions?limit=2&total=exact';
      let pages = 0;
      while (path !== null) {
        const answer = await app.as(user, 'get', path);
        expect([answer.status, answer.get('X-Total-Count')]).toEqual([200, '5']);
        walked.push(...idsOf(answer.body as SessionBody[]));
        path = nextPage(answer);
        pages++;
      }
      expect([walked, pages]).toEqual([all, 3]);
      expect(idsOf(await list(user, '?offset=3'))).toEqual(all.slice(3));
      expect((await app.as(user, 'get', '/api/auth/sessions?total=estimate')).get('X-Total-Estimate')).toBe(
        '5',
      );

      const first = nextPage(await app.as(user, 'get', '/api/auth/sessions?limit=2')) ?? '';
      const stranger = await app.createUser();
      const refused = [
        app.as(stranger, 'get', first),
        app.as(user, 'get', `${first}&offset=1`),
        app.as(user, 'get', '/api/auth/sessions?cursor=abc'),
        app.as(user, 'get', '/api/auth/sessions?limit=0'),
        app.as(user, 'get', '/api/auth/sessions?limit=101'),
        app.as(user, 'get', '/api/auth/sessions?status=active'),
      ];
      for (const answer of await Promise.all(refused)) expect(answer.status).toBe(400);
    });
  });

  describe('of one user', () => {
    const start = (userId: string, count: number) =>
      app.database.query(
        `INSERT INTO sessions (id, user_id, device, ip, created_at, last_seen_at, expires_at, ends_at)
         SELECT gen_random_uuid(), $1, 'elsewhere', '192.0.2.1', at, at, at + interval '1 day', at + interval '1 day'
         FROM clock_timestamp() AS at, generate_series(1, $2)`,
        [userId, count],
      );
    const seen = (sid: string, ago: string) =>
      app.database.query('UPDATE sessions SET last_seen_at = now() - $2::interval WHERE id = $1', [sid, ago]);
    const idsAlive = async (user: TestUser) => [
      ...idsOf(await list(user, '?limit=100')),
      ...idsOf(await list(user, '?limit=100&offset=100')),
    ];

    it('are limited to a hundred: a sign-in ends the least recently used one at once', async () => {
      const user = await app.createUser();
      const [stale, older] = [await login(user), await login(user)];
      expect(await statusOf(app.url, stale.access_token)).toBe(200);
      expect(await statusOf(app.url, older.access_token)).toBe(200);
      await seen(claimsOf(stale.access_token).sid, '3 hours');
      await seen(claimsOf(older.access_token).sid, '2 hours');
      await start(user.id, 97);
      expect(await idsAlive(user)).toHaveLength(100);
      const next = await login(user);
      expect(await tokensOf(stale)).toEqual(DEAD);
      const alive = await idsAlive(user);
      expect(alive).toHaveLength(100);
      expect(alive).toContain(claimsOf(older.access_token).sid);
      expect(alive).toContain(claimsOf(next.access_token).sid);
      await login(user);
      expect(await tokensOf(older)).toEqual(DEAD);
      expect(await tokensOf(next)).toEqual(ALIVE);
    });

    it('are reduced to a hundred even if there were more, without affecting other users', async () => {
      const [user, other] = [await app.createUser(), await app.createUser()];
      await start(user.id, 150);
      await start(other.id, 2);
      await seen(sessionIdOf(user), '0 minutes');
      await login(user);
      expect(await idsAlive(user)).toHaveLength(100);
      expect(await idsAlive(other)).toHaveLength(3);
    });
  });

  describe('DELETE /api/auth/sessions/{id}', () => {
    it('ends one session at once, and only once', async () => {
      const user = await app.createUser();
      const [pair, kept] = [await login(user), await login(user)];
      expect(await statusOf(app.url, pair.access_token)).toBe(200);
      const path = `/api/auth/sessions/${claimsOf(pair.access_token).sid}`;
      await app.as(user, 'delete', path).expect(204);
      expect(await tokensOf(pair)).toEqual(DEAD);
      expect(await tokensOf(kept)).toEqual(ALIVE);
      await app.as(user, 'delete', path).expect(404);
    });

    it('can end the current session', async () => {
      const user = await app.createUser();
      await app.as(user, 'delete', `/api/auth/sessions/${sessionIdOf(user)}`).expect(204);
      expect(await statusOf(app.url, user.token)).toBe(401);
    });

    it('returns 404 for sessions of others, also to administrators, and 400 for an invalid id', async () => {
      const [user, other] = [await app.createUser(), await app.createUser()];
      const bodies = [];
      for (const id of [sessionIdOf(other), NOBODY]) {
        const answer = await app.as(user, 'delete', `/api/auth/sessions/${id}`);
        expect(answer.status).toBe(404);
        const { error } = answer.body as { error: { code: string; message: string } };
        bodies.push([error.code, error.message]);
      }
      expect(bodies[0]).toEqual(bodies[1]);
      expect((await app.as(app.admin, 'delete', `/api/auth/sessions/${sessionIdOf(other)}`)).status).toBe(
        404,
      );
      expect((await app.as(user, 'delete', '/api/auth/sessions/no-id')).status).toBe(
        (await app.as(app.admin, 'get', '/api/users/no-id')).status,
      );
      expect(await statusOf(app.url, other.token)).toBe(200);
    });
  });

  describe('DELETE /api/auth/sessions', () => {
    it('ends all other sessions of the caller, and nothing else', async () => {
      const [user, stranger] = [await app.createUser(), await app.createUser()];
      const others = [await login(user), await login(user)];
      for (const pair of others) expect(await statusOf(app.url, pair.access_token)).toBe(200);
      await app.as(user, 'delete', '/api/auth/sessions').expect(204);
      for (const pair of others) expect(await tokensOf(pair)).toEqual(DEAD);
      expect(idsOf(await list(user))).toEqual([sessionIdOf(user)]);
      expect(await statusOf(app.url, stranger.token)).toBe(200);
    });
  });

  describe('/api/users/{id}/sessions', () => {
    it('lists and ends the sessions of another user for holders of sessions:revoke', async () => {
      const revoker = await createUserWith(app, ['sessions:revoke']);
      const user = await app.createUser();
      const pair = await login(user);
      const path = `/api/users/${user.id}/sessions`;
      const shown = await app.as(revoker, 'get', `${path}?total=exact`);
      expect([shown.status, shown.get('X-Total-Count')]).toEqual([200, '2']);
      const own = await list(user);
      expect(shown.body).toEqual(own.map((session) => ({ ...session, current: false })));
      const page = nextPage(await app.as(revoker, 'get', `${path}?limit=1`)) ?? '';
      expect(idsOf((await app.as(revoker, 'get', page)).body as SessionBody[])).toEqual([own[1]?.id]);

      await app.as(revoker, 'delete', path).expect(204);
      expect(await tokensOf(pair)).toEqual(DEAD);
      expect(await statusOf(app.url, user.token)).toBe(401);
      expect(await statusOf(app.url, revoker.token)).toBe(200);
      expect((await app.as(revoker, 'get', path)).body).toEqual([]);
      await app.as(revoker, 'delete', path).expect(204);
    });

    it('marks the current session of a caller who lists their own, and can end it', async () => {
      const revoker = await createUserWith(app, ['sessions:revoke']);
      const path = `/api/users/${revoker.id}/sessions`;
      expect((await app.as(revoker, 'get', path)).body).toMatchObject([
        { id: sessionIdOf(revoker), current: true },
      ]);
      await app.as(revoker, 'delete', path).expect(204);
      expect(await statusOf(app.url, revoker.token)).toBe(401);
    });

    it.each(['get', 'delete'] as const)(
      'returns 403 for %s to other callers, including the user',
      async (method) => {
        const user = await app.createUser();
        for (const id of [user.id, app.admin.id, NOBODY]) {
          const answer = await app.as(user, method, `/api/users/${id}/sessions`);
          expect([id, answer.status]).toEqual([id, 403]);
        }
        expect((await app.request(method, `/api/users/${user.id}/sessions`)).status).toBe(401);
      },
    );

    it.each(['get', 'delete'] as const)('returns 404 for %s of an unknown user', async (method) => {
      expect((await app.as(app.admin, method, `/api/users/${NOBODY}/sessions`)).status).toBe(404);
      const revoker = await createUserWith(app, ['sessions:revoke']);
      const gone = await app.createUser();
      await app.as(gone, 'delete', `/api/users/${gone.id}`).expect(204);
      expect((await app.as(revoker, method, `/api/users/${gone.id}/sessions`)).status).toBe(404);
    });
  });

  describe('end for good', () => {
    it('when the user is disabled, and stay ended when the user is enabled', async () => {
      const user = await app.createUser();
      const pair = await refreshed(app.url, (await login(user)).refresh_token);
      const set = (status: string) =>
        app.as(app.admin, 'patch', `/api/users/${user.id}`).send({ status }).expect(200);
      await set('disabled');
      expect(await tokensOf(pair)).toEqual(DEAD);
      await set('active');
      expect(await tokensOf(pair)).toEqual(DEAD);
      expect(await statusOf(app.url, user.token)).toBe(401);
      expect(idsOf(await list(await signIn(app.url, user.email, PASSWORD)))).toHaveLength(1);
    });

    it('when the user is deleted, and stay ended when the user is restored', async () => {
      const user = await app.createUser();
      const pair = await login(user);
      await app.as(user, 'delete', `/api/users/${user.id}`).expect(204);
      expect(await tokensOf(pair)).toEqual(DEAD);
      await app.as(app.admin, 'post', `/api/users/${user.id}/restore`).expect(200);
      expect(await tokensOf(pair)).toEqual(DEAD);
      expect(await statusOf(app.url, user.token)).toBe(401);
      expect(idsOf(await list(await signIn(app.url, user.email, PASSWORD)))).toHaveLength(1);
    });

    it('but not when the roles change', async () => {
      const user = await app.createUser();
      const pair = await login(user);
      await app
        .as(app.admin, 'put', `/api/users/${user.id}/roles`)
        .set('If-Match', '*')
        .send({ roles: ['user', 'auditor'] })
        .expect(200);
      expect((await app.as({ ...user, token: pair.access_token }, 'get', '/api/users')).status).toBe(200);
      expect(await tokensOf(pair)).toEqual(ALIVE);
    });
  });
});
