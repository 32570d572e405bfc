import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { HeldLock } from '../../support/database/held-lock.js';
import { Instance } from '../../support/app/instance.js';
import { signIn, TestApp, PASSWORD, type TestUser } from '../../support/app/test-app.js';
import { TestDatabase } from '../../support/database/test-database.js';
import { until } from '../../support/app/until.js';

const lastLogins = (database: TestDatabase, users: readonly TestUser[]) =>
  database.query<{ at: Date | null; row: string }>(
    'SELECT last_login_at AS at, xmin::text AS row FROM users WHERE id = ANY ($1)',
    [users.map(({ id }) => id)],
  );

describe('last sign-in times', () => {
  let app: TestApp;
  let users: TestUser[];
  beforeAll(async () => {
    app = await TestApp.create();
    users = await Promise.all(Array.from({ length: 6 }, () => app.createUser()));
  });
  afterAll(() => app.close());

  const signInAll = () => Promise.all(users.map(({ email }) => signIn(app.url, email, PASSWORD)));
  const written = async () => (await lastLogins(app.database, users)).every(({ at }) => at !== null);

  it('of many users are written in one statement, also on a retry', async () => {
    const held = await HeldLock.take(app.database.url, 'SELECT 1 FROM users WHERE id = ANY ($1) FOR SHARE', [
      users.map(({ id }) => id),
    ]);
    const waits = () => until(async () => (await held.waiting()) > 0);
    try {
      await signInAll();
      await waits();
      const cut = await app.database.query(
        `SELECT pg_cancel_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND wait_event_type = 'Lock'`,
      );
      expect(cut).toHaveLength(1);
      await until(async () => (await held.waiting()) === 0);
      await waits();
      expect((await lastLogins(app.database, users)).filter(({ at }) => at !== null)).toEqual([]);
    } finally {
      await held.release();
    }
    await until(written);
    const rows = await lastLogins(app.database, users);
    expect(new Set(rows.map(({ row }) => row)).size).toBe(1);
  });

  it('never go back', async () => {
    await app.database.query(`UPDATE users SET last_login_at = '2999-01-01' WHERE id = $1`, [users[0]?.id]);
    const before = await lastLogins(app.database, users.slice(1));
    await signInAll();
    await until(async () => {
      const now = await lastLogins(app.database, users.slice(1));
      return now.every(({ at }) => before.every((earlier) => Number(at) > Number(earlier.at)));
    });
    const [first] = await lastLogins(app.database, users.slice(0, 1));
    expect(first?.at?.getUTCFullYear()).toBe(2999);
  });

  it.each(['SIGTERM', 'SIGINT'] as const)('are all stored after a stop by %s', async (signal) => {
    const database = await TestDatabase.create();
    const instance = await Instance.start({
      env: { ...database.addresses, ADMIN_PASSWORD: PASSWORD, SHUTDOWN_GRACE_MS: '0' },
    });
    await signIn(instance.url, 'admin@gatehouse.local', PASSWORD);
    expect(await instance.stop(signal)).toBe(0);
    const rows = await database.query<{ at: Date | null }>('SELECT last_login_at AS at FROM users');
    await database.drop();
    expect(rows).toEqual([{ at: expect.any(Date) }]);
  });
});
