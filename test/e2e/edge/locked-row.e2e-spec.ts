import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { poolOf } from '../../../src/platform/database/database.module.js';
import { stopBackgroundWork } from '../../support/app/background-work.js';
import { expectEnvelope } from '../../support/http/envelope.js';
import { HeldLock } from '../../support/database/held-lock.js';
import { noPgBouncer, PgBouncer } from '../../support/database/pgbouncer.js';
import { logIn } from '../../support/builders/sessions.js';
import { type Answer, bearer, send } from '../../support/http/send.js';
import { type TestUser, ADMIN, PASSWORD, TestApp } from '../../support/app/test-app.js';
import { TestDatabase } from '../../support/database/test-database.js';
import { until } from '../../support/app/until.js';
import { wherePossible } from '../../support/app/where-possible.js';

/** The maximum time in the contract for which a request waits for a row. */
const LIMIT_MS = 3000;
const DB_POOL_MAX = 10;
/** The number of pool connections that may wait for locks for longer than a moment. */
const PLACES = 3;

/** Makes each update of the table take longer than a request waits for a lock. */
const makeSlow = (database: TestDatabase, table: string) =>
  database.query(
    `CREATE FUNCTION take_long() RETURNS trigger LANGUAGE plpgsql AS $$
       BEGIN PERFORM pg_sleep(${(LIMIT_MS + 1000) / 1000}); RETURN NEW; END $$;
     CREATE TRIGGER take_long BEFORE UPDATE ON ${table} FOR EACH ROW EXECUTE FUNCTION take_long()`,
  );

describe('a write slower than the lock limit of a request', () => {
  let app: TestApp;
  let user: TestUser;
  beforeAll(async () => {
    app = await TestApp.create();
    await stopBackgroundWork(app);
    user = await app.createUser();
  });
  afterAll(() => app.close());

  it.each([
    ['in a transaction', 'users', 'PATCH'],
    ['on its own', 'sessions', 'GET'],
  ])('succeeds if it waits for no lock: %s', async (_, table, method) => {
    const { access_token: token } = await logIn(app.url, user.email, PASSWORD);
    await app.database.query(`UPDATE sessions SET last_seen_at = last_seen_at - interval '1 hour'`);
    await makeSlow(app.database, table);
    const started = performance.now();
    const body = method === 'PATCH' ? { name: 'Slow' } : undefined;
    const { status } = await send(app.url, {
      method,
      path: '/api/users/me',
      body,
      headers: bearer({ token }),
    });
    expect(status).toBe(200);
    expect(performance.now() - started).toBeGreaterThan(LIMIT_MS + 500);
    await app.database.query('DROP FUNCTION take_long CASCADE');
  });
});

describe('a locked row', () => {
  let app: TestApp;
  let wanted: TestUser;
  let other: TestUser;
  let lock: HeldLock | null = null;
  beforeAll(async () => {
    app = await TestApp.create({ config: { DB_POOL_MAX } });
    await stopBackgroundWork(app);
    wanted = await app.createUser();
    other = await app.createUser();
  });
  afterEach(() => lock?.release());
  afterAll(() => app.close());

  const call = (user: TestUser, method: string, path: string, body?: unknown) =>
    send(app.url, { method, path, body, headers: { ...bearer(user), 'If-Match': '*' } });
  const rename = (user: TestUser, name: string) =>
    call(app.admin, 'PATCH', `/api/users/${user.id}`, { name });
  const hold = async (table: string, ids: readonly string[]) =>
    (lock = await HeldLock.take(app.database.url, `SELECT 1 FROM ${table} WHERE id = ANY ($1) FOR UPDATE`, [
      ids,
    ]));
  const timed = async (request: Promise<Answer>) => {
    const started = performance.now();
    return { answer: await request, took: performance.now() - started };
  };
  const sessionsOf = async ({ id }: TestUser) =>
    (await app.database.query<{ id: string }>('SELECT id FROM sessions WHERE user_id = $1', [id])).map(
      (session) => session.id,
    );
  const tenRenames = () => Array.from({ length: 10 }, (_, i) => timed(rename(wanted, `Renamed ${i}`)));

  it('occupies only a few connections while all others serve, until ten changes get 503', async () => {
    const held = await hold('users', [wanted.id]);
    const waiting = tenRenames();
    await until(async () => (await held.waiting()) > PLACES);
    await until(async () => (await held.waiting()) <= PLACES, LIMIT_MS - 500, 'most connections are free');
    for (let i = 0; i < 5; i++) {
      expect((await call(other, 'GET', '/api/users/me')).status).toBe(200);
      expect((await rename(other, `Other ${i}`)).status).toBe(200);
      expect(await held.waiting()).toBeLessThanOrEqual(PLACES);
    }
    for (const { answer, took } of await Promise.all(waiting)) {
      expectEnvelope(answer, 'OVERLOADED');
      expect(answer.headers['retry-after']).toMatch(/^[1-9]\d*$/);
      expect(took).toBeGreaterThan(LIMIT_MS - 100);
      expect(took).toBeLessThan(LIMIT_MS + 2000);
    }
    const pool = poolOf(app.dataSource);
    await until(() => pool.idleCount === pool.totalCount, 20_000, 'all connections are back');
  });

  it('is changed by all waiting requests once it is unlocked', async () => {
    const version = async () =>
      (
        await app.database.query<{ version: number }>('SELECT version FROM users WHERE id = $1', [wanted.id])
      )[0]?.version ?? 0;
    const before = await version();
    const held = await hold('users', [wanted.id]);
    const waiting = tenRenames();
    await until(async () => (await held.waiting()) > PLACES);
    await until(async () => (await held.waiting()) <= PLACES);
    await held.release();
    for (const { answer } of await Promise.all(waiting)) expect(answer.status).toBe(200);
    expect(await version()).toBe(before + 10);
  });

  it('occupies no more connections when each write is a single statement', async () => {
    const sessions = await Promise.all(
      Array.from({ length: 10 }, () => logIn(app.url, wanted.email, PASSWORD)),
    );
    await app.database.query(`UPDATE sessions SET last_seen_at = last_seen_at - interval '1 hour'`);
    const held = await hold('sessions', await sessionsOf(wanted));
    // Each request first updates the last use of the session, outside a transaction.
    const reads = sessions.map(({ access_token: token }) =>
      timed(send(app.url, { path: '/api/users/me', headers: bearer({ token }) })),
    );
    await until(async () => (await held.waiting()) > PLACES);
    await until(async () => (await held.waiting()) <= PLACES, LIMIT_MS - 500, 'most connections are free');
    for (let i = 0; i < 5; i++) {
      expect((await call(app.admin, 'GET', '/api/users/me')).status).toBe(200);
      expect(await held.waiting()).toBeLessThanOrEqual(PLACES);
    }
    for (const { answer, took } of await Promise.all(reads)) {
      expectEnvelope(answer, 'OVERLOADED');
      expect(took).toBeLessThan(LIMIT_MS + 2000);
    }
  });

  it('is waited for no longer by any other write', async () => {
    const made = await call(wanted, 'POST', '/api/resources', { type: 'note', name: 'Mine' });
    const { id: resource } = made.json as { id: string };
    const session = await logIn(app.url, wanted.email, PASSWORD);
    await app.database.query('UPDATE sessions SET last_seen_at = last_seen_at - interval $$1 hour$$');
    const sessions = await sessionsOf(wanted);
    const held = await hold('users', [wanted.id]);
    await held.query(`SELECT 1 FROM sessions FOR UPDATE; SELECT 1 FROM resources FOR UPDATE;
                      LOCK TABLE roles IN ROW EXCLUSIVE MODE`);
    expect(sessions.length).toBeGreaterThan(0);
    const refresh = { refresh_token: session.refresh_token };
    const started = [
      send(app.url, { method: 'POST', path: '/api/auth/refresh', body: refresh }),
      // A session not seen for a while is first updated, in a separate statement without a transaction.
      send(app.url, { path: '/api/users/me', headers: bearer({ token: session.access_token }) }),
      send(app.url, {
        method: 'POST',
        path: '/api/auth/login',
        body: { email: wanted.email, password: PASSWORD },
      }),
      call(app.admin, 'DELETE', `/api/users/${wanted.id}`),
      call(app.admin, 'DELETE', `/api/users/${wanted.id}/sessions`),
      call(app.admin, 'PUT', '/api/roles/another', { permissions: [] }),
      call(app.admin, 'DELETE', `/api/resources/${resource}`),
    ].map(timed);
    const answers = await Promise.all(started);
    expect(answers.map(({ answer: { status } }) => status)).toEqual(answers.map(() => 503));
    for (const { answer, took } of answers) {
      expectEnvelope(answer, 'OVERLOADED');
      expect(took).toBeLessThan(LIMIT_MS + 2000);
    }
  });
});

wherePossible(noPgBouncer, 'a pooler', () =>
  describe('a single-statement write behind a pooler, which hides lock waits', () => {
    let database: TestDatabase;
    let pooler: PgBouncer;
    let app: TestApp;
    let token: string;
    beforeAll(async () => {
      database = await TestDatabase.create();
      pooler = await PgBouncer.before(database.serviceUrl);
      const config = {
        DATABASE_URL: pooler.url,
        LISTEN_DATABASE_URL: database.serviceUrl,
        DB_PREPARED: false,
      };
      app = await TestApp.create({ database, config });
      await stopBackgroundWork(app);
    });
    beforeEach(async () => {
      ({ access_token: token } = await logIn(app.url, ADMIN.email, ADMIN.password));
      await database.query(`UPDATE sessions SET last_seen_at = last_seen_at - interval '1 hour'`);
    });
    afterAll(async () => {
      await app.close();
      await pooler.stop();
      await database.drop();
    });

    const me = async () => {
      const started = performance.now();
      const answer = await send(app.url, { path: '/api/users/me', headers: bearer({ token }) });
      return { answer, took: performance.now() - started };
    };

    it('is refused when it cannot get its lock', async () => {
      const lock = await HeldLock.take(database.url, 'SELECT 1 FROM sessions FOR UPDATE');
      const { answer, took } = await me();
      await lock.release();
      expectEnvelope(answer, 'OVERLOADED');
      expect(took).toBeGreaterThan(LIMIT_MS - 100);
      expect(took).toBeLessThan(LIMIT_MS + 2000);
    });

    it('succeeds when it is slow for another reason', async () => {
      await makeSlow(database, 'sessions');
      const { answer, took } = await me();
      expect(answer.status).toBe(200);
      expect(took).toBeGreaterThan(LIMIT_MS + 500);
    });
  }),
);
