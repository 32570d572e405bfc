import { request as httpRequest } from 'node:http';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { SignInAttemptsService } from '../../../src/modules/auth/sign-in/sign-in-attempts.service.js';
import { SignInThrottle } from '../../../src/modules/auth/sign-in/sign-in.throttle.js';
import { expectEnvelope } from '../../support/http/envelope.js';
import {
  age,
  ANY_NETWORK,
  counters,
  elsewhere,
  fail,
  HELD_SECONDS,
  login,
} from '../../support/builders/guesses.js';
import { HeldLock } from '../../support/database/held-lock.js';
import { HeldThreads } from '../../support/faults/held-threads.js';
import { type Answer, bearer, closeConnections, send } from '../../support/http/send.js';
import { type TestUser, PASSWORD, TestApp } from '../../support/app/test-app.js';
import { until } from '../../support/app/until.js';

interface Entry {
  readonly outcome: string;
  readonly reason: string | null;
  readonly changes: object | null;
}

describe('sign-in attempts in flight', () => {
  let app: TestApp;
  let other: TestApp;
  let owner: TestUser;
  let people: TestUser[];
  /** A connection that is already established, because a handshake needs a thread that a test may occupy. */
  let observer: pg.Client;
  let threads: HeldThreads | null = null;
  beforeAll(async () => {
    app = await TestApp.create({ config: { ...ANY_NETWORK, PASSWORD_CONCURRENCY: 2 } });
    other = await TestApp.create({
      database: app.database,
      config: { ...ANY_NETWORK, PASSWORD_CONCURRENCY: 2 },
    });
    owner = await app.createUser();
    people = await Promise.all(Array.from({ length: 6 }, () => app.createUser()));
    observer = new pg.Client({ connectionString: app.database.url });
    await observer.connect();
    // The connections of the pool too.
    await Promise.all(Array.from({ length: 10 }, () => app.dataSource.query('SELECT pg_sleep(0.05)')));
  });
  beforeEach(() => app.database.query('DELETE FROM sign_in_failures'));
  afterEach(() => threads?.release());
  afterAll(async () => {
    closeConnections();
    await observer.end();
    await other.close();
    await app.close();
  });

  const signIn = (user = owner, ip = elsewhere(), at = app) =>
    login(at, { email: user.email, password: PASSWORD, ip });
  const times = <T>(count: number, work: (i: number) => Promise<T>) =>
    Promise.all(Array.from({ length: count }, (_, i) => work(i)));
  const statuses = (answers: readonly Answer[]) =>
    answers.map(({ status }) => status).toSorted((a, b) => a - b);
  const all = (status: number, count: number) => Array<number>(count).fill(status);
  const standing = async () =>
    (await counters(app)).filter(({ failures, in_flight }) => failures > 0 || in_flight > 0);
  const inFlight = async () => {
    const { rows } = await observer.query<{ n: number }>(
      'SELECT count(*)::integer AS n FROM sign_in_attempts',
    );
    return rows[0]?.n;
  };
  const entries = async (target: TestUser, count: number): Promise<Entry[]> => {
    const path = `/api/audit?action=auth.login&target_id=${target.id}&limit=${count}`;
    return (await send(app.url, { path, headers: bearer(app.admin) })).json as Entry[];
  };

  it('let in every correct password of one user, however many arrive concurrently', async () => {
    expect(statuses(await times(24, (i) => signIn(owner, elsewhere(), i % 2 ? app : other)))).toEqual(
      all(200, 24),
    );
    expect(await standing()).toEqual([]);
    for (const entry of await entries(owner, 24)) expect(entry.outcome).toBe('success');
  });

  it('let in every correct password when one more failure would delay the user', async () => {
    await fail(app, owner.email, 9);
    expect(statuses(await times(8, () => signIn()))).toEqual(all(200, 8));
    expect((await standing()).filter(({ in_flight }) => in_flight > 0)).toEqual([]);
  });

  it('let in people who share an address, however little allowance is left', async () => {
    const ip = elsewhere();
    await login(app, { email: 'nobody@example.com', ip });
    await app.database.query('UPDATE sign_in_failures SET failures = 97');
    await app.database.query(`UPDATE sign_in_failures SET last_at = now()`);
    expect(statuses(await times(24, (i) => signIn(people[i % people.length], ip)))).toEqual(all(200, 24));
  });

  it('allow ten of sixty guesses that two instances receive concurrently', async () => {
    const answers = await times(60, (i) => login(i % 2 ? app : other, { email: owner.email }));
    expect(statuses(answers)).toEqual([...all(401, 10), ...all(429, 50)]);
    expect(await inFlight()).toBe(0);
  });

  it('are audited as denied only after a password check, with the reason of the refusal', async () => {
    const [somebody, disabled] = people as [TestUser, TestUser];
    await times(14, () => login(app, { email: somebody.email }));
    const seen = await entries(somebody, 14);
    const count = (outcome: string, reason: string) =>
      seen.filter((entry) => entry.outcome === outcome && entry.reason === reason).length;
    expect([count('denied', 'wrong_password'), count('failure', 'throttled')]).toEqual([10, 4]);
    expect(seen.every(({ changes }) => changes === null)).toBe(true);
    await app.database.query('UPDATE users SET disabled = true WHERE id = $1', [disabled.id]);
    expect((await signIn(disabled)).status).toBe(401);
    await app.database.query('UPDATE users SET disabled = false WHERE id = $1', [disabled.id]);
    expect(await entries(disabled, 1)).toMatchObject([{ outcome: 'denied', reason: 'disabled' }]);
    expect((await login(app, { email: 'no.such.user@example.com' })).status).toBe(401);
    const latest = await send(app.url, {
      path: '/api/audit?action=auth.login&limit=1',
      headers: bearer(app.admin),
    });
    expect(latest.json).toMatchObject([{ target: null, outcome: 'denied', reason: 'unknown_user' }]);
  });

  it('count no failure when a client disconnects before its correct password is checked', async () => {
    threads = HeldThreads.take();
    const requests = Array.from({ length: 10 }, () => {
      const request = httpRequest(`${app.url}/api/auth/login`, {
        method: 'POST',
        agent: false,
        headers: { 'Content-Type': 'application/json', 'X-Forwarded-For': elsewhere() },
      });
      request.on('error', () => undefined);
      request.end(JSON.stringify({ email: owner.email, password: PASSWORD }));
      return request;
    });
    await until(async () => (await inFlight()) === 10, 10_000, 'ten attempts in flight');
    for (const request of requests) request.destroy();
    await threads?.release();
    await until(async () => (await inFlight()) === 0, 10_000, 'every attempt settled');
    expect(await standing()).toEqual([]);
  });

  it('wait for earlier ones without a database connection, at most a hundred per user and five seconds, then get 503', async () => {
    const wait = () =>
      app.nest.get(SignInThrottle).begin({ emailKey: owner.email, addresses: [] }, elsewhere());
    const inTheirPlaces = await Promise.all(Array.from({ length: 10 }, wait));
    expect(await inFlight()).toBe(10);
    const started = performance.now();
    const { lines } = app.nest.get(SignInAttemptsService);
    const waiting = [wait().catch((error: unknown) => error)];
    await until(() => lines.size === 1, 4000, 'the first one waiting');
    for (let i = 1; i < 100; i++) waiting.push(wait().catch((error: unknown) => error));
    expect(lines.size).toBe(100);
    const late = await signIn();
    expectEnvelope(late, 'OVERLOADED');
    expect(late.headers['retry-after']).toMatch(/^\d+$/);
    const me = await send(app.url, { path: '/api/users/me', headers: bearer(owner) });
    expect(me.status).toBe(200);
    for (const refusal of await Promise.all(waiting)) expect(refusal).toMatchObject({ code: 'OVERLOADED' });
    expect(performance.now() - started).toBeGreaterThan(4900);
    for (const attempt of inTheirPlaces) await attempt.end();
    expect((await signIn()).status).toBe(200);
    expect(await standing()).toEqual([]);
  });

  it('count no failure for a correct password whose session could not start', async () => {
    const lock = await HeldLock.take(
      app.database.url,
      `SELECT 1 FROM users WHERE id = '${owner.id}' FOR UPDATE`,
    );
    const answer = signIn();
    await until(async () => (await lock.waiting()) === 1, 10_000, 'the sign-in waiting for the row');
    expect(await inFlight()).toBe(1);
    await observer.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
    );
    expect((await answer).status).toBeGreaterThanOrEqual(500);
    await until(async () => (await inFlight()) === 0, 10_000, 'the attempt settled');
    expect(await standing()).toEqual([]);
    await lock.release();
  });

  it('are counted in the metrics: sign-ins, refusals by reason, and throttled attempts by scope', async () => {
    // The process has one registry, which the newest app fills.
    const metric = async (series: string) => {
      const { text } = await send(other.url, { path: '/metrics' });
      return Number(
        text
          .split('\n')
          .find((line) => line.startsWith(`${series} `))
          ?.split(' ')[1] ?? 0,
      );
    };
    const series = [
      'sign_ins_total',
      'sign_in_failures_total{reason="wrong_password"}',
      'sign_in_failures_total{reason="throttled"}',
      'sign_in_throttled_total{scope="network"}',
    ];
    const read = () => Promise.all(series.map(metric));
    const before = await read();
    const ip = elsewhere();
    expect((await login(other, { email: owner.email, ip })).status).toBe(401);
    expect((await signIn(owner, elsewhere(), other)).status).toBe(200);
    await app.database.query('UPDATE sign_in_failures SET failures = 100');
    await login(other, { email: 'nobody@example.com', ip });
    await age(app, -HELD_SECONDS);
    expect((await login(other, { email: 'nobody@example.com', ip })).status).toBe(429);
    const after = await read();
    expect(after.map((value, i) => value - (before[i] ?? 0))).toEqual([1, 1, 1, 1]);
  });
});
