import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { register } from 'prom-client';
import { poolOf } from '../../../src/platform/database/database.module.js';
import { ServicePool } from '../../../src/platform/database/driver/pools/service.pool.js';
import { OVERLOAD_REFUSALS } from '../../../src/platform/metrics/metric-names.js';
import { expectEnvelope } from '../../support/http/envelope.js';
import { stopBackgroundWork } from '../../support/app/background-work.js';
import { HeldLock } from '../../support/database/held-lock.js';
import { HeldThreads } from '../../support/faults/held-threads.js';
import { freshKey, signUpKeyed } from '../../support/http/keyed.js';
import { type Answer, bearer, send } from '../../support/http/send.js';
import { statements } from '../../support/database/statements.js';
import { TestApp } from '../../support/app/test-app.js';
import { until } from '../../support/app/until.js';

const DB_POOL_MAX = 2;
/** The number of waiting callers that the password lane admits to its one hash. */
const LANE_QUEUE = 64;
/** The longest time that a hash waits for its turn in the lane. */
const LANE_WAIT_MS = 5000;
/** More than the lane admits, and fewer than the pool lets wait in a burst. */
const SIGN_INS = 100;
const ORIGIN = 'https://app.example.com';

describe('overload', () => {
  let app: TestApp;
  let lock: HeldLock | null = null;
  let threads: HeldThreads | null = null;
  beforeAll(async () => {
    app = await TestApp.create({
      config: {
        DB_POOL_MAX,
        PASSWORD_CONCURRENCY: 1,
        DB_CONNECT_TIMEOUT_MS: 20_000,
        TRUSTED_PROXIES: ['127.0.0.1'],
        CORS_ORIGINS: [ORIGIN],
      },
    });
    await stopBackgroundWork(app);
  });
  afterEach(async () => {
    await threads?.release();
    await lock?.release();
  });
  afterAll(() => app.close());

  const me = () => send(app.url, { path: '/api/users/me', headers: bearer(app.admin) });
  /** A read with a statement of its own. Reads of single users would share one. */
  const read = () => send(app.url, { path: '/api/users?limit=1', headers: bearer(app.admin) });

  function expectOverloaded(answer: Answer): void {
    expectEnvelope(answer, 'OVERLOADED');
    expect(answer.headers['retry-after']).toMatch(/^[1-9]\d*$/);
  }

  /** Sends this number of requests at once and collects the responses so far. */
  function inParallel<T extends Answer>(count: number, request: () => Promise<T>) {
    const answered: T[] = [];
    const all = Array.from({ length: count }, () =>
      request().then((answer) => {
        answered.push(answer);
        return answer;
      }),
    );
    return { answered, all: Promise.all(all) };
  }

  it('refuses requests at the edge that would wait too long for a connection, and serves the waiting ones', async () => {
    const waiting = await standingQueue();
    const before = await refusals('database');
    const requests = inParallel(29, me);
    const answers = await requests.all;
    answers.forEach(expectOverloaded);
    expect(await refusals('database')).toBe(before + 29);
    expect(waiting.answered).toEqual([]);
    await lock?.release();
    for (const answer of await waiting.all) expect(answer.status).toBe(200);
    expect((await me()).status).toBe(200);
  });

  it('refuses in the media type that the request accepts, with CORS headers', async () => {
    const waiting = await standingQueue();
    const headers = { Origin: ORIGIN, Accept: 'application/problem+json', 'X-Request-Id': 'refused-1' };
    const answer = await send(app.url, { path: '/api/users/me', headers });
    expect(answer).toMatchObject({
      status: 503,
      headers: {
        'access-control-allow-origin': ORIGIN,
        'cache-control': 'no-store',
        'content-type': 'application/problem+json; charset=utf-8',
        'retry-after': '1',
        'x-content-type-options': 'nosniff',
        'x-request-id': 'refused-1',
      },
      json: { code: 'OVERLOADED', request_id: 'refused-1', status: 503 },
    });
    const head = await send(app.url, { method: 'HEAD', path: '/api/users/me' });
    expect([head.status, head.text]).toEqual([503, '']);
    await lock?.release();
    await waiting.all;
  });

  it('refuses no probes, metrics or other requests that need no database', async () => {
    const waiting = await standingQueue();
    for (const path of ['/health/live', '/health/ready', '/health', '/metrics', '/.well-known/jwks.json']) {
      expect([path, (await send(app.url, { path })).status]).toEqual([path, 200]);
    }
    await lock?.release();
    await waiting.all;
  });

  it('of the password lane is reported at once when its queue is full, and all other requests are served', async () => {
    await openWholePool();
    threads = HeldThreads.take();
    const admitted = 1 + LANE_QUEUE;
    // No more than the pool lets wait, so that the lane is what refuses.
    let caller = 0;
    // Each request has its own user and address, so that the throttling of guesses does not interfere.
    const signIns = inParallel(SIGN_INS, async () => {
      const number = ++caller;
      const sentAt = performance.now();
      const answer = await send(app.url, {
        method: 'POST',
        path: '/api/auth/login',
        headers: { 'X-Forwarded-For': `192.0.2.${number}` },
        body: { email: `nobody-${number}@example.com`, password: 'not the right one' },
      });
      return { ...answer, tookMs: performance.now() - sentAt };
    });
    const refused = SIGN_INS - admitted;
    await until(() => signIns.answered.length >= refused);
    expect(await send(app.url, { path: '/health/live' })).toMatchObject({ status: 200 });
    expect(await me()).toMatchObject({ status: 200 });
    expect(signIns.answered).toHaveLength(refused);
    signIns.answered.forEach(expectOverloaded);
    const atOnce = new Set(signIns.answered);
    await threads.release();
    const rest = (await signIns.all).filter((answer) => !atOnce.has(answer));
    expect(rest).toHaveLength(admitted);
    const served = rest.filter(({ status }) => status !== 503);
    expect(served.length).toBeGreaterThan(0);
    for (const answer of served) expectEnvelope(answer, 'UNAUTHORIZED');
    // On a slow machine some of them wait as long as a hash may wait for its turn.
    for (const answer of rest.filter(({ status }) => status === 503)) {
      expectOverloaded(answer);
      expect(answer.tookMs).toBeGreaterThan(LANE_WAIT_MS);
    }
  });

  it('of the password lane lets sign-ups with an Idempotency-Key wait without a connection', async () => {
    await openWholePool();
    threads = HeldThreads.take();
    const before = await statements();
    const signUps = inParallel(DB_POOL_MAX + 1, () => signUpKeyed(app.url, freshKey()));
    // All of them have started by then; a request that held its connection would leave none.
    await until(async () => (await statements()) >= before + 3 * DB_POOL_MAX);
    expect(await me()).toMatchObject({ status: 200 });
    expect(signUps.answered).toEqual([]);
    await threads.release();
    for (const answer of await signUps.all) expect(answer.status).toBe(201);
  });

  // Must be last, because Passport keeps one strategy per process, which then belongs to the other app.
  it('of the pool is reported in the same way after too long a wait for a connection', async () => {
    const impatient = await TestApp.create({
      config: { DB_POOL_MAX: 1, DB_CONNECT_TIMEOUT_MS: 300 },
      database: app.database,
    });
    await stopBackgroundWork(impatient);
    const request = () => send(impatient.url, { path: '/api/users/me', headers: bearer(impatient.admin) });
    await request();
    lock = await HeldLock.takeUsers(app.database.url);
    const first = request();
    const answers = await Promise.all([request(), request()]);
    answers.forEach(expectOverloaded);
    await lock.release();
    expect((await first).status).toBe(200);
    await impatient.close();
  });

  /** Occupies the pool and its shortest queue for so long that further requests should not wait. */
  async function standingQueue() {
    const pool = poolOf(app.dataSource);
    // Caches the caller first, because concurrent requests of one caller would share one lookup.
    await me();
    lock = await HeldLock.takeUsers(app.database.url);
    const requests = inParallel(2 * DB_POOL_MAX, read);
    await until(() => pool.waitingCount >= DB_POOL_MAX);
    // Other users of the pool only make the queue longer.
    await until(() => pool instanceof ServicePool && pool.overloaded);
    return requests;
  }

  async function refusals(reason: string): Promise<number> {
    const metric = await register.getSingleMetric(OVERLOAD_REFUSALS)?.get();
    return metric?.values.find(({ labels }) => labels['reason'] === reason)?.value ?? 0;
  }

  /** Opens all connections, so that no request waits for a handshake, which computes hashes. */
  async function openWholePool(): Promise<void> {
    await me();
    const held = (lock = await HeldLock.takeUsers(app.database.url));
    const requests = inParallel(DB_POOL_MAX, read);
    await until(async () => (await held.waiting()) === DB_POOL_MAX);
    await held.release();
    await requests.all;
  }
});
