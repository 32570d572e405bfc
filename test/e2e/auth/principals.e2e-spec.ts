import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import supertest from 'supertest';
import { newId } from '../../../src/common/ids.js';
import { PrincipalCache } from '../../../src/modules/auth/principals/principal.cache.js';
import { NotificationsService } from '../../../src/platform/database/listen/notifications.service.js';
import { sealedOf, writeEntries } from '../../support/builders/audit.js';
import { stopBackgroundWork } from '../../support/app/background-work.js';
import { Instance } from '../../support/app/instance.js';
import { HeldLock } from '../../support/database/held-lock.js';
import { noPgBouncer, PgBouncer } from '../../support/database/pgbouncer.js';
import { statements, statementsOf } from '../../support/database/statements.js';
import { type TestUser, PASSWORD, TestApp } from '../../support/app/test-app.js';
import { TestDatabase } from '../../support/database/test-database.js';
import { until } from '../../support/app/until.js';
import { sessionIdOf } from '../../support/builders/sessions.js';
import { NOBODY } from '../../support/builders/users.js';
import { wherePossible } from '../../support/app/where-possible.js';
import { MASTER_KEY } from '../../support/app/secrets.js';

/** Long enough for one request to start before it. A test that is late detects that. */
const IN_A_MOMENT = `UPDATE sessions SET expires_at = clock_timestamp() + interval '2 s' WHERE id = $1`;

describe('principals', () => {
  let app: TestApp;
  let user: TestUser;
  beforeAll(async () => {
    app = await TestApp.create();
    await stopBackgroundWork(app);
    user = await app.createUser();
  });
  afterAll(() => app.close());

  const listing = (caller: TestUser) => app.as(caller, 'get', '/api/users?limit=1');
  const setRoles = ({ id }: TestUser, roles: string[]) =>
    app.as(app.admin, 'put', `/api/users/${id}/roles`).set('If-Match', '*').send({ roles }).expect(200);

  /**
   * Returns the cost of a request by a recently seen caller: the least of three, because the cache entry
   * expires once a minute.
   */
  async function costOf(request: () => PromiseLike<unknown>): Promise<number> {
    await request();
    const costs: number[] = [];
    for (let i = 0; i < 3; i++) costs.push(await statementsOf(request));
    return Math.min(...costs);
  }

  /** Makes the session's next fill write, so that it waits for the lock between reading and storing. */
  async function holdFill(caller: TestUser): Promise<HeldLock> {
    const values = [sessionIdOf(caller)];
    await app.database.query(
      `UPDATE sessions SET last_seen_at = last_seen_at - interval '1 hour' WHERE id = $1`,
      values,
    );
    return HeldLock.take(app.database.url, 'SELECT 1 FROM sessions WHERE id = $1 FOR UPDATE', values);
  }

  const fillWaits = (fills = 1) =>
    until(async () => {
      const waiting = await app.database.query(
        `SELECT 1 FROM pg_stat_activity
         WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE 'UPDATE sessions%'`,
      );
      return waiting.length === fills;
    });

  describe('cost a recently seen caller', () => {
    it.each([
      ['invalid input', 'patch', '/api/users/me'],
      ['an invalid query', 'get', '/api/roles?limit=0'],
    ] as const)('no statement for %s', async (_, method, path) => {
      expect(await costOf(() => app.as(user, method, path).send({ wrong: true }).expect(400))).toBe(0);
    });

    it.each([
      ['a forbidden read', 'get', '/api/users', 403],
      ['a forbidden change', 'put', '/api/roles/support', 403],
      ['another user', 'get', `/api/users/${NOBODY}`, 404],
    ] as const)('one statement for %s, which writes the audit entry', async (_, method, path, status) => {
      await app.as(user, method, path).expect(status);
      expect(await costOf(() => app.as(user, method, path).expect(status))).toBe(1);
    });

    it('one statement for their own user, which reads its row', async () => {
      expect(await costOf(() => app.as(user, 'get', '/api/users/me').expect(200))).toBe(1);
    });

    it('one statement for each list or record, and none for the guards', async () => {
      expect(await costOf(() => app.as(user, 'get', '/api/roles').expect(200))).toBe(1);
      expect(await costOf(() => listing(app.admin).expect(200))).toBe(1);
    });

    it('no statement after the session ended, however often its token is used', async () => {
      const gone = await app.createUser();
      await app.as(gone, 'post', '/api/auth/logout').expect(204);
      expect(await costOf(() => app.as(gone, 'get', '/api/users/me').expect(401))).toBe(0);
      expect(await costOf(() => app.as(gone, 'get', '/api/users').expect(401))).toBe(0);
    });

    it('no statement with a forged or a foreign token', async () => {
      const forged = { ...user, token: `${user.token.slice(0, -4)}AAAA` };
      expect(await costOf(() => app.as(forged, 'get', '/api/users/me').expect(401))).toBe(0);
    });
  });

  it('are not resolved by probes, metrics and the key set, even with a token', async () => {
    const fresh = await app.createUser();
    for (const path of ['/health/live', '/health/startup', '/metrics', '/.well-known/jwks.json']) {
      expect([path, await statementsOf(() => app.as(fresh, 'get', path).expect(200))]).toEqual([path, 0]);
    }
    // The database check of the probe, and no other query.
    for (const path of ['/health', '/health/ready']) {
      const without = await statementsOf(() => app.request('get', path).expect(200));
      expect([path, await statementsOf(() => app.as(fresh, 'get', path).expect(200))]).toEqual([
        path,
        without,
      ]);
    }
  });

  it('are not cached by a fill that started before a change', async () => {
    const promoted = await app.createUser(['user', 'auditor']);
    const held = await holdFill(promoted);
    const before = listing(promoted).then(({ status }) => status);
    await fillWaits();
    await setRoles(promoted, ['user']);
    await held.release();
    // The request started before the change, so it may be served once with the old rights.
    expect(await before).toBe(200);
    expect((await listing(promoted)).status).toBe(403);
    expect((await listing(promoted)).status).toBe(403);
  });

  it('are read once for concurrent requests', async () => {
    const popular = await app.createUser();
    const held = await holdFill(popular);
    const me = () => app.as(popular, 'get', '/api/users/me').then(({ status }) => status);
    const cost = await statementsOf(async () => {
      const first = me();
      await fillWaits();
      const others = [me(), me(), me(), me()];
      // Resolved by then; the others are inside and wait for the same fill.
      await app.request('get', '/health/live').expect(200);
      await held.release();
      expect(await Promise.all([first, ...others])).toEqual([200, 200, 200, 200, 200]);
    });
    // One request reads the principal and updates the minute. The requests that go on together share a read of the user.
    expect(cost).toBeGreaterThanOrEqual(2 + 1);
    expect(cost).toBeLessThanOrEqual(2 + 5);
  });

  it('are read again after a change, even while an earlier fill is running', async () => {
    const promoted = await app.createUser(['user', 'auditor']);
    const held = await holdFill(promoted);
    const before = listing(promoted).then(({ status }) => status);
    await fillWaits();
    await setRoles(promoted, ['user']);
    const after = listing(promoted).then(({ status }) => status);
    await fillWaits(2);
    await held.release();
    expect([await before, await after]).toEqual([200, 403]);
  });

  it('are cached for a minute from their own read', async () => {
    const fresh = await app.createUser();
    const cache = app.nest.get(PrincipalCache);
    const { entries } = cache as unknown as {
      readonly entries: { getRemainingTTL(key: string): number };
    };
    const started = performance.now();
    await until(async () => {
      await app.as(fresh, 'get', '/api/users/me').expect(200);
      return entries.getRemainingTTL(sessionIdOf(fresh)) > 0;
    });
    const left = entries.getRemainingTTL(sessionIdOf(fresh));
    expect(left).toBeLessThanOrEqual(60_000);
    expect(left).toBeGreaterThanOrEqual(60_000 - (performance.now() - started));
  });

  it('that were refused are read again after they change', async () => {
    const paused = await app.createUser();
    const expiresIn = (interval: string) =>
      app.database.query(
        `WITH moved AS (UPDATE sessions SET expires_at = now() + $2::interval WHERE id = $1)
         SELECT pg_notify('gatehouse_principals', $1::text)`,
        [sessionIdOf(paused), interval],
      );
    const status = async () => (await app.as(paused, 'get', '/api/users/me')).status;
    await expiresIn('-1 hour');
    await until(async () => (await status()) === 401);
    await expiresIn('1 hour');
    await until(async () => (await status()) === 200);
  });

  it('end with their session, to the millisecond', async () => {
    const brief = await app.createUser();
    const id = sessionIdOf(brief);
    await app.database.query(IN_A_MOMENT, [id]);
    const me = () => app.as(brief, 'get', '/api/users/me');
    expect((await me()).status).toBe(200);
    await until(() => expired(id));
    const answer = await me();
    expect([answer.status, answer.get('WWW-Authenticate')]).toEqual([401, 'Bearer error="invalid_token"']);
  });

  it('end with their session even after a slow read', async () => {
    const brief = await app.createUser();
    const id = sessionIdOf(brief);
    await app.database.query(IN_A_MOMENT, [id]);
    const held = await holdFill(brief);
    const me = () => app.as(brief, 'get', '/api/users/me').then(({ status }) => status);
    const first = me();
    await fillWaits();
    await until(() => expired(id));
    await held.release();
    expect(await first).toBe(200);
    expect(await me()).toBe(401);
  });

  const expired = async (id: string): Promise<boolean> => {
    const rows = await app.database.query(
      'SELECT 1 FROM sessions WHERE id = $1 AND expires_at < clock_timestamp()',
      [id],
    );
    return rows.length === 1;
  };

  it('follow a change to the permissions of a role', async () => {
    const put = (permissions: string[]) =>
      app.as(app.admin, 'put', '/api/roles/reader').send({ permissions }).expect(200);
    await put([]);
    const reader = await app.createUser(['user', 'reader']);
    expect((await listing(reader)).status).toBe(403);
    await put(['users:read']);
    expect((await listing(reader)).status).toBe(200);
    await put(['events:read']);
    expect((await listing(reader)).status).toBe(403);
  });

  it('come from the user and not from the claim, so a role change ends no session', async () => {
    const changed = await app.createUser();
    await setRoles(changed, ['user', 'auditor']);
    expect((await listing(changed)).status).toBe(200);
    await setRoles(changed, ['user']);
    expect((await listing(changed)).status).toBe(403);
    expect((await app.as(changed, 'get', '/api/users/me')).status).toBe(200);
  });

  it('are cached again after the listening connection was lost, and read from the database meanwhile', async () => {
    const { lease } = app.nest.get(NotificationsService);
    const [listener] = await app.database.query<{ pid: number }>(
      `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'gatehouse:listen'`,
    );
    await app.as(user, 'get', '/api/users/me').expect(200);
    await app.database.query('SELECT pg_terminate_backend($1)', [listener?.pid]);
    await until(() => !lease.isValid);
    await until(() => lease.isValid);
    expect(await costOf(() => app.as(user, 'get', '/api/users/me').expect(200))).toBe(1);
    const listeners = await app.database.query(
      `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'gatehouse:listen'`,
    );
    expect(listeners).toHaveLength(1);
  });

  it('are bounded in number, along with their index by user', async () => {
    const cache = app.nest.get(PrincipalCache);
    const principals = Array.from({ length: 20_100 }, () => ({
      userId: newId(),
      sessionId: newId(),
      roles: ['user'],
      permissions: new Set<never>(),
    }));
    const { sessionsOf } = cache as unknown as { readonly sessionsOf: ReadonlyMap<string, unknown> };
    const isKept = ({ userId, sessionId }: (typeof principals)[number]) =>
      cache.get({ userId, sessionId }) !== undefined;
    for (const principal of principals) {
      // Filling so many can outlast the lease. In that case they are filled again after a heartbeat.
      await until(() => {
        cache.set(cache.beginFill(), principal, principal, 60_000);
        return isKept(principal);
      });
    }
    expect(principals.slice(0, 100).some(isKept)).toBe(false);
    expect(sessionsOf.size).toBe(20_000);
  });
});

wherePossible(noPgBouncer, 'a pooler', () =>
  describe('behind a pooler that drops notifications', () => {
    let database: TestDatabase;
    let pooler: PgBouncer;
    let app: TestApp;
    let instance: Instance;
    beforeAll(async () => {
      database = await TestDatabase.create();
      pooler = await PgBouncer.before(database.serviceUrl);
      const env = {
        NODE_ENV: 'test',
        LOG_LEVEL: 'warn',
        ...database.addresses,
        DATABASE_URL: pooler.url,
        MASTER_KEY,
        DB_PREPARED: 'false',
      };
      // One instance logs, the other counts its statements. Both wait for a notification at the same time.
      [app, instance] = await Promise.all([
        TestApp.create({ database, config: { DATABASE_URL: pooler.url, DB_PREPARED: false } }),
        Instance.spawn({ env }),
      ]);
      await stopBackgroundWork(app);
      await instance.until(() => instance.stdout.includes('is ready'));
    });
    afterAll(async () => {
      await app.close();
      await instance.stop();
      await pooler.stop();
      await database.drop();
    });

    it('the service seals the audit log', async () => {
      const ids = await writeEntries(database, 2);
      await until(async () => (await sealedOf(database, ids)) === 2);
    });

    it('the service starts and logs the problem once', async () => {
      expect((await supertest(instance.url).get('/health/ready')).status).toBe(200);
      const said = (): number => instance.stdout.match(/set LISTEN_DATABASE_URL/g)?.length ?? 0;
      await until(() => said() > 0);
      expect(said()).toBe(1);
    });

    it('the service reads the principal on every request and never trusts its cache', async () => {
      const { lease } = app.nest.get(NotificationsService);
      const user = await app.createUser(['user', 'auditor']);
      // A heartbeat that returns within its own statement must not count as a received notification.
      for (let i = 0; i < 30; i++) {
        expect(lease.isValid).toBe(false);
        const before = await statements();
        await app.as(user, 'get', '/api/users').expect(200);
        expect((await statements()) - before).toBeGreaterThanOrEqual(2);
      }
      // Another instance makes a change, and its notification never arrives.
      await database.query(`UPDATE users SET roles = ARRAY['user'] WHERE id = $1`, [user.id]);
      await app.as(user, 'get', '/api/users').expect(403);
      const again = await app
        .request('post', '/api/auth/login')
        .send({ email: user.email, password: PASSWORD });
      expect(again.status).toBe(200);
    });

    it('concurrent callers share its connections, which keep no prepared statement', async () => {
      const user = await app.createUser();
      const callers = Array.from({ length: 30 }, () => app.as(user, 'get', '/api/users/me').expect(200));
      await Promise.all(callers);
    });
  }),
);
