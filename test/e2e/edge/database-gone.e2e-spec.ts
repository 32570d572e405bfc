import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { poolOf } from '../../../src/platform/database/database.module.js';
import { expectEnvelope, expectNothingFromInside } from '../../support/http/envelope.js';
import { HeldLock } from '../../support/database/held-lock.js';
import { type Answer, bearer, send } from '../../support/http/send.js';
import { TcpProxy } from '../../support/faults/tcp-proxy.js';
import { type TestUser, PASSWORD, TestApp } from '../../support/app/test-app.js';
import { TestDatabase } from '../../support/database/test-database.js';
import { until } from '../../support/app/until.js';

const LIMIT_MS = 1000;

describe('when the database is unreachable', () => {
  let app: TestApp;
  let user: TestUser;
  let database: TestDatabase;
  let proxy: TcpProxy;
  beforeAll(async () => {
    database = await TestDatabase.create();
    proxy = await TcpProxy.before(database.serviceUrl);
    const DATABASE_URL = proxy.through(database.serviceUrl);
    app = await TestApp.create({
      database,
      config: { DATABASE_URL, REQUEST_TIMEOUT_MS: LIMIT_MS, DB_CONNECT_TIMEOUT_MS: 500 },
    });
    user = await app.createUser();
  });
  afterEach(async () => {
    await proxy.restore();
    await until(async () => (await me()).status === 200);
  });
  afterAll(async () => {
    await app.close();
    await proxy.cut();
    await database.drop();
  });

  const me = () => send(app.url, { path: '/api/users/me', headers: bearer(user) });
  const login = () =>
    send(app.url, {
      method: 'POST',
      path: '/api/auth/login',
      body: { email: user.email, password: PASSWORD },
    });
  const health = (path: string) => send(app.url, { path: `/health${path}` });
  const timed = async (request: () => Promise<Answer>) => {
    const started = performance.now();
    return { answer: await request(), took: performance.now() - started };
  };

  it('returns 503 with Retry-After promptly and admits no caller', async () => {
    await proxy.cut();
    for (const request of [me, login, me]) {
      const { answer, took } = await timed(request);
      expectEnvelope(answer, 'DB_ERROR', 503);
      expectNothingFromInside(answer);
      expect(answer.headers['retry-after']).toMatch(/^[1-9]\d*$/);
      expect(took).toBeLessThan(5000);
    }
  });

  it('is not ready but alive, and does not reveal the address of the database', async () => {
    await proxy.cut();
    await until(async () => (await health('/ready')).status === 503, 5000, 'no readiness');
    const ready = await health('/ready');
    expect(ready).toMatchObject({ status: 503, json: { status: 'error' } });
    expectNothingFromInside(ready);
    expectNothingFromInside(await health(''));
    expect((await health('/live')).status).toBe(200);
    expect((await health('/startup')).status).toBe(200);
    expect((await send(app.url, { path: '/metrics' })).status).toBe(200);
  });

  it('recovers on its own', async () => {
    await proxy.cut();
    expect((await me()).status).toBe(503);
    await proxy.restore();
    await until(async () => (await me()).status === 200, 2000, 'an answer');
    await until(async () => (await health('/ready')).status === 200, 2000, 'readiness');
    expect((await login()).status).toBe(200);
  });

  it('responds to requests that were in progress', async () => {
    const lock = await HeldLock.takeUsers(database.url);
    try {
      const requests = [login(), me(), login()];
      await until(async () => (await lock.waiting()) === requests.length);
      // Reads that come together would share one statement.
      requests.push(me());
      await until(async () => (await lock.waiting()) === requests.length);
      await proxy.cut();
      for (const answer of await Promise.all(requests)) {
        expectEnvelope(answer, 'DB_ERROR', 503);
        expectNothingFromInside(answer);
      }
    } finally {
      await lock.release();
    }
  });

  it('serves the next request after it notices that all idle connections were ended', async () => {
    const pool = poolOf(app.dataSource);
    expect((await me()).status).toBe(200);
    const before = pool.totalCount;
    expect(before).toBeGreaterThan(0);
    let gone = 0;
    pool.on('remove', () => gone++);
    await database.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`,
    );
    await until(() => gone >= before);
    expect((await me()).status).toBe(200);
  });

  it('responds in time when the database is silent, and recovers', async () => {
    await me();
    proxy.silence();
    for (const request of [me, login]) {
      const { answer, took } = await timed(request);
      expect([503, 504]).toContain(answer.status);
      expectNothingFromInside(answer);
      expect(took).toBeLessThan(LIMIT_MS + 5000);
    }
    expect((await health('/live')).status).toBe(200);
    // The heartbeat has just been received.
    await until(async () => (await health('/ready')).status === 503, 5000, 'no readiness');
  });

  it('distinguishes a failed query from an unreachable database', async () => {
    await database.query('ALTER TABLE users RENAME TO users_away');
    try {
      const answer = await me();
      expectEnvelope(answer, 'DB_ERROR', 500);
      expectNothingFromInside(answer);
      expect(answer.headers).not.toHaveProperty('retry-after');
      const problem = await send(app.url, {
        path: '/api/users/me',
        headers: { ...bearer(user), Accept: 'application/problem+json' },
      });
      expect(problem).toMatchObject({ status: 500, json: { code: 'DB_ERROR' } });
      expectNothingFromInside(problem);
    } finally {
      await database.query('ALTER TABLE users_away RENAME TO users');
    }
  });
});
