import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { expectEnvelope, expectNothingFromInside } from '../../support/http/envelope.js';
import { HeldLock } from '../../support/database/held-lock.js';
import { RawConnection } from '../../support/http/raw-connection.js';
import { bearer, send } from '../../support/http/send.js';
import { type TestUser, TestApp } from '../../support/app/test-app.js';
import { until } from '../../support/app/until.js';

const LIMIT_MS = 700;
/** The time in the contract within which the query is cancelled. */
const CANCELLED_WITHIN_MS = 1000;

describe('a request over its time limit', () => {
  let app: TestApp;
  let user: TestUser;
  let lock: HeldLock | null = null;
  beforeAll(async () => {
    app = await TestApp.create({ config: { REQUEST_TIMEOUT_MS: LIMIT_MS, DB_POOL_MAX: 2 } });
    user = await app.createUser();
  });
  afterEach(async () => {
    RawConnection.endAll();
    await lock?.release();
    lock = null;
  });
  afterAll(() => app.close());

  const holdRow = async () => {
    const row = 'SELECT 1 FROM users WHERE id = $1 FOR UPDATE';
    return (lock = await HeldLock.take(app.database.url, row, [user.id]));
  };
  const holdTable = async () => {
    lock = await HeldLock.takeUsers(app.database.url);
  };
  const waiting = async (): Promise<number> =>
    (
      await app.database.query(
        `SELECT 1 FROM pg_stat_activity
         WHERE datname = current_database() AND application_name = 'gatehouse' AND state <> 'idle'`,
      )
    ).length;
  const rename = (name: string) =>
    send(app.url, { method: 'PATCH', path: '/api/users/me', body: { name }, headers: bearer(user) });
  const nameNow = async () =>
    (await app.database.query<{ name: string }>('SELECT name FROM users WHERE id = $1', [user.id]))[0]?.name;

  it('gets 504 in time, its query is cancelled, and nothing is written', async () => {
    const before = await nameNow();
    await holdRow();
    const started = performance.now();
    const answer = await rename('Too late');
    const took = performance.now() - started;
    expectEnvelope(answer, 'TIMEOUT');
    expectNothingFromInside(answer);
    expect(took).toBeGreaterThanOrEqual(LIMIT_MS - 20);
    expect(took).toBeLessThan(LIMIT_MS + 5000);
    await until(async () => (await waiting()) === 0, CANCELLED_WITHIN_MS, 'no query of the service');
    await lock?.release();
    expect(await nameNow()).toBe(before);
    expect(await rename('In time')).toMatchObject({ status: 200, json: { name: 'In time' } });
  });

  it('gets 504 when a guard is waiting', async () => {
    await holdTable();
    expectEnvelope(await rename('Too late'), 'TIMEOUT');
    await until(async () => (await waiting()) === 0, CANCELLED_WITHIN_MS, 'no query of the service');
  });

  it('returns its connection to the pool, even for many requests', async () => {
    await holdRow();
    // More requests than pool connections; the rest wait for a connection and are late too.
    const answers = await Promise.all(Array.from({ length: 8 }, (_, i) => rename(`Late ${i}`)));
    for (const answer of answers) expectEnvelope(answer, 'TIMEOUT');
    await lock?.release();
    await until(async () => (await waiting()) === 0, CANCELLED_WITHIN_MS, 'no query of the service');
    const after = await Promise.all(Array.from({ length: 8 }, () => rename('After')));
    expect(after.map((answer) => answer.status)).toEqual(after.map(() => 200));
    expect(await nameNow()).toBe('After');
  });

  it('gets 504 and its connection ends when the client never sends the body', async () => {
    const connection = await RawConnection.open(app.url);
    connection.write(
      'POST /api/users HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{"na',
    );
    const answer = await connection.answer();
    expectEnvelope(answer, 'TIMEOUT');
    expect(answer.headers.connection).toBe('close');
    await until(() => connection.closed, 5000);
    expect(connection.failure).toBeNull();
  });

  it('does not affect other callers', async () => {
    const row = await holdRow();
    let answered = false;
    const late = rename('Too late').finally(() => (answered = true));
    await until(async () => (await row.waiting()) > 0);
    // The same user whose row it waits for.
    const path = `/api/users/${user.id}`;
    const read = await send(app.url, { path, headers: bearer(app.admin) });
    expect(read).toMatchObject({ status: 200, json: { id: user.id } });
    expect(answered).toBe(false);
    expectEnvelope(await late, 'TIMEOUT');
  });
});
