import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Mailer } from '../../../src/platform/mail/mailer.service.js';
import { expectEnvelope } from '../../support/http/envelope.js';
import { TaskWorker } from '../../../src/platform/queue/task.worker.js';
import { stopBackgroundWork } from '../../support/app/background-work.js';
import { HeldLock } from '../../support/database/held-lock.js';
import { type Answer, bearer, send } from '../../support/http/send.js';
import { TcpProxy } from '../../support/faults/tcp-proxy.js';
import { type TestUser, TestApp } from '../../support/app/test-app.js';
import { TestDatabase } from '../../support/database/test-database.js';
import { until } from '../../support/app/until.js';

/** The time in the contract until the first response after the network path is restored. */
const BACK_WITHIN_MS = 2000;
/** Well before the time limit of a request (30 s). */
const GIVEN_UP_WITHIN_MS = 6000;
/** Less than a request waits on a dead connection, which is not suspected before a second has passed. */
const WITHOUT_A_WAIT_MS = 1000;
/** The worker abandons a statement after 5 s. */
const JOBS_BACK_WITHIN_MS = 15_000;

describe('dead database connections', () => {
  let database: TestDatabase;
  let path: TcpProxy;
  let app: TestApp;
  let user: TestUser;
  let lock: HeldLock | null = null;
  beforeAll(async () => {
    database = await TestDatabase.create();
    path = await TcpProxy.before(database.serviceUrl);
    app = await TestApp.create({ database, config: { DATABASE_URL: path.through(database.serviceUrl) } });
    await stopBackgroundWork(app, TaskWorker);
    user = await app.createUser();
  });
  afterEach(() => lock?.release());
  afterAll(async () => {
    await app.close();
    await path.cut();
    await database.drop();
  });

  const me = () => send(app.url, { path: '/api/users/me', headers: bearer(user) });
  const rename = (name: string) =>
    send(app.url, { method: 'PATCH', path: '/api/users/me', body: { name }, headers: bearer(user) });
  const many = (request: () => Promise<Answer>) => Promise.all(Array.from({ length: 20 }, request));
  const terminate = () =>
    database.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE datname = current_database() AND application_name = 'gatehouse'`,
    );
  const timed = async (request: () => Promise<Answer>) => {
    const started = performance.now();
    const { status } = await request();
    return { status, took: performance.now() - started };
  };

  it('fail no request that gets an idle one', async () => {
    await many(me);
    for (let round = 0; round < 3; round++) {
      await terminate();
      const answers = await Promise.all([many(me), many(() => rename(`Round ${round}`))]);
      expect(answers.flat().filter(({ status }) => status !== 200)).toEqual([]);
    }
  });

  it('fail no read in progress', async () => {
    const held = (lock = await HeldLock.takeUsers(database.url));
    // One after the other, because requests that come together share one statement.
    const reads: Promise<Answer>[] = [];
    while (reads.length < 5) {
      reads.push(me());
      await until(async () => (await held.waiting()) === reads.length);
    }
    await terminate();
    await until(async () => (await held.waiting()) === reads.length);
    await held.release();
    for (const { status } of await Promise.all(reads)) expect(status).toBe(200);
  });

  it('fail a write in progress, which is never sent twice', async () => {
    const row = 'SELECT 1 FROM users WHERE id = $1 FOR UPDATE';
    const held = (lock = await HeldLock.take(database.url, row, [user.id]));
    const change = rename('Lost');
    await until(async () => (await held.waiting()) === 1);
    await terminate();
    expectEnvelope(await change, 'DB_ERROR', 503);
    expect(await held.waiting()).toBe(0);
    await held.release();
    expect((await me()).json).not.toMatchObject({ name: 'Lost' });
  });

  it('are dropped together without a response, and requests succeed soon after the path is restored', async () => {
    const under = await many(me);
    expect(under.every(({ status }) => status === 200)).toBe(true);
    path.silence();
    const waiting = await Promise.all(Array.from({ length: 10 }, () => timed(me)));
    for (const { status, took } of waiting) {
      expect(status).toBe(503);
      expect(took).toBeLessThan(GIVEN_UP_WITHIN_MS);
    }
    // From here on no request waits in vain.
    const refused = await timed(() => rename('Refused'));
    expect(refused.status).toBe(503);
    expect(refused.took).toBeLessThan(WITHOUT_A_WAIT_MS);
    path.forgetOld();
    await until(async () => (await me()).status === 200, BACK_WITHIN_MS, 'the first answer');
    const after = await many(() => rename('Served'));
    expect(after.filter(({ status }) => status !== 200)).toEqual([]);
  });

  it.each([
    ['a read', () => me()],
    ['a change', () => rename('Served')],
  ])('are dropped together when the network path is restored without them: %s', async (_, request) => {
    await many(request);
    path.silence();
    // No request arrives meanwhile. New connections work, and the old ones stay silent for ever.
    path.forgetOld();
    const answers = await Promise.all(Array.from({ length: 20 }, () => timed(request)));
    expect(Math.min(...answers.map(({ took }) => took))).toBeLessThan(BACK_WITHIN_MS);
    // Dead connections that were found one after the other would take a second each.
    for (const { status, took } of answers) {
      expect(status).toBe(200);
      expect(took).toBeLessThan(GIVEN_UP_WITHIN_MS);
    }
    for (const { took } of await Promise.all(Array.from({ length: 20 }, () => timed(request))))
      expect(took).toBeLessThan(WITHOUT_A_WAIT_MS);
  });

  it('do not stop the task worker once the path is restored', async () => {
    const mails = app.nest.get(Mailer);
    path.silence();
    // Meanwhile the worker, which polls every two seconds, has sent a query.
    await many(me);
    path.forgetOld();
    await until(async () => (await me()).status === 200);
    const { email } = await app.createUser();
    await until(() => mails.sent.some(({ to }) => to === email), JOBS_BACK_WITHIN_MS, 'the mail');
  });

  it('are not assumed dead because of one slow statement', async () => {
    const held = (lock = await HeldLock.takeUsers(database.url));
    const slow = me();
    await until(async () => (await held.waiting()) === 1);
    // Longer than the tolerated silence.
    await new Promise((resolve) => setTimeout(resolve, 4000));
    await held.release();
    expect((await slow).status).toBe(200);
  });
});
