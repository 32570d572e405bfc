import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { DataSource, type MigrationInterface, type QueryRunner } from 'typeorm';
import { migrate } from '../../../src/platform/database/startup/migrate.js';
import { runMigrations } from '../../../src/platform/database/startup/run-migrations.js';
import { Instance } from '../../support/app/instance.js';
import { HeldLock } from '../../support/database/held-lock.js';
import { KEEPS_NO_STATEMENTS, noPgBouncer, PgBouncer } from '../../support/database/pgbouncer.js';
import { MASTER_KEY } from '../../support/app/secrets.js';
import { ADMIN, signIn } from '../../support/app/test-app.js';
import { TestDatabase } from '../../support/database/test-database.js';
import { until } from '../../support/app/until.js';
import { wherePossible } from '../../support/app/where-possible.js';

const LOCK = 0x67617465;
const LOCKS = `SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objid = ${LOCK}
               AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`;

describe('the migration lock', () => {
  let database: TestDatabase;
  let holder: pg.Client;
  beforeAll(async () => {
    database = await TestDatabase.create();
    holder = new pg.Client({ connectionString: database.url, application_name: 'somebody who migrates' });
    await holder.connect();
  });
  afterAll(async () => {
    await holder?.end();
    await database?.drop();
  });

  it('allows CREATE INDEX CONCURRENTLY while another instance waits, which reports the holder', async () => {
    await holder.query(`SELECT pg_advisory_lock(${LOCK})`);
    const notices: string[] = [];
    const waiting = migrate(database.addresses, (message) => notices.push(message));
    await until(async () => {
      const [row] = await database.query<{ n: number }>(
        `SELECT count(*)::integer AS n FROM pg_stat_activity
         WHERE datname = current_database() AND application_name = 'gatehouse:migrate' AND query ~ 'advisory_lock'`,
      );
      return row?.n === 1;
    });
    await holder.query(`SET statement_timeout = '10s'; CREATE TABLE indexed (id integer)`);
    await holder.query('CREATE INDEX CONCURRENTLY indexed_by_id ON indexed (id)');
    await until(() => notices.length > 0);
    await holder.query(`SELECT pg_advisory_unlock(${LOCK})`);

    expect(await waiting).toEqual([]);
    expect(notices).toEqual([
      expect.stringMatching(
        /^waiting for the migration lock, held by "somebody who migrates" \(server process \d+, role \w+/,
      ),
    ]);
    expect(await database.query(LOCKS)).toEqual([]);
  });

  it('is reported in the log by an instance that waits', async () => {
    await holder.query(`SELECT pg_advisory_lock(${LOCK})`);
    const env = { ...database.addresses, MASTER_KEY, LOG_LEVEL: 'warn', ADMIN_PASSWORD: ADMIN.password };
    const instance = await Instance.spawn({ env });
    try {
      const report = () =>
        instance.stdout.split('\n').find((line) => line.includes('waiting for the migration lock'));
      await instance.until(() => report() !== undefined);
      expect(JSON.parse(report() ?? '')).toMatchObject({
        level: 'warn',
        context: 'Start',
        msg: expect.stringContaining('somebody who migrates'),
      });
      await holder.query(`SELECT pg_advisory_unlock(${LOCK})`);
      await instance.until(() => instance.stdout.includes('is ready'));
      expect(instance.stderr).toBe('');
    } finally {
      await instance.stop();
    }
  });
});

class AddsMore1999999999999 implements MigrationInterface {
  up = (runner: QueryRunner) => runner.query('ALTER TABLE users ADD COLUMN more text');
  down = (runner: QueryRunner) => runner.query('ALTER TABLE users DROP COLUMN more');
}

describe('a migration of a table that a long transaction reads', () => {
  let database: TestDatabase;
  let source: DataSource;
  let reader: HeldLock;
  beforeEach(async () => {
    database = await TestDatabase.create();
    source = new DataSource({
      type: 'postgres',
      url: database.url,
      migrations: [AddsMore1999999999999],
      migrationsTransactionMode: 'each',
      installExtensions: false,
      logger: 'debug',
    });
    await source.initialize();
    // pg_dump holds this lock for as long as it runs.
    reader = await HeldLock.take(database.url, 'LOCK TABLE users IN ACCESS SHARE MODE');
  });
  afterEach(async () => {
    await reader?.release();
    await source?.destroy();
    await database?.drop();
  });

  it('keeps nobody else from the table, and runs when the transaction has ended', async () => {
    const notices: string[] = [];
    const running = runMigrations(source, { notice: (message) => notices.push(message) });
    await until(() => notices.length > 0);
    // The migration waits with each of these at least once. Behind a lock that waits without a limit they would never end.
    await until(async () => (await reader.waiting()) > 0);
    await database.query('SELECT count(*) FROM users');
    await until(async () => (await reader.waiting()) > 0);
    await database.query(`UPDATE users SET name = 'Ada' WHERE false`);
    await reader.release();

    expect(await running).toEqual(['AddsMore1999999999999']);
    expect(notices).toEqual([
      'the migration AddsMore1999999999999 waits for a transaction that uses the same table',
    ]);
    expect(await database.query('SELECT more FROM users LIMIT 1')).toEqual([]);
  });

  it('fails the start when the transaction does not end', async () => {
    const running = runMigrations(source, { notice: () => {}, giveUpAfterMs: 1 });
    await expect(running).rejects.toThrow(
      'The migration AddsMore1999999999999 could not lock its table for 0.001 s: end the transaction that uses it, or start again later',
    );
  });
});

wherePossible(noPgBouncer, 'a pooler', () =>
  describe('behind a transaction pooler', () => {
    let database: TestDatabase;
    const poolers: PgBouncer[] = [];
    const poolerOf = async (url: string, ...options: string[]) => {
      const pooler = await PgBouncer.before(url, options);
      poolers.push(pooler);
      return pooler.url;
    };
    beforeAll(async () => {
      database = await TestDatabase.create();
    });
    afterAll(async () => {
      await Promise.all(poolers.map((pooler) => pooler.stop()));
      await database?.drop();
    });

    it.each([
      ['hands out the connection used last', ''],
      ['hands out its connections in turn', 'server_round_robin = 1'],
      ['has one connection', 'default_pool_size = 1'],
    ])('that %s, migrations are refused and no lock is left behind', async (_, option) => {
      const { MIGRATION_DATABASE_URL: owner } = database.addresses;
      const url = await poolerOf(owner, option);
      const remedy = 'set MIGRATION_DATABASE_URL to the address of the database itself';
      await expect(migrate({ DATABASE_URL: url })).rejects.toThrow(
        `DATABASE_URL leads through a transaction pooler, and migrations need a connection of their own: ${remedy}`,
      );
      await expect(migrate({ ...database.addresses, MIGRATION_DATABASE_URL: url })).rejects.toThrow(
        /^MIGRATION_DATABASE_URL leads through a transaction pooler/,
      );
      expect(await database.query(LOCKS)).toEqual([]);
    });

    it('that gives each client its own connection, migrations run', async () => {
      const url = await poolerOf(database.addresses.MIGRATION_DATABASE_URL, 'pool_mode = session');
      expect(await migrate({ DATABASE_URL: url })).toEqual([]);
      expect(await database.query(LOCKS)).toEqual([]);
    });

    it('that keeps no prepared statements, the service names the variable to set and serves', async () => {
      const url = await poolerOf(database.serviceUrl, ...KEEPS_NO_STATEMENTS);
      const env = { ...database.addresses, DATABASE_URL: url, LISTEN_DATABASE_URL: database.serviceUrl };
      const instance = await Instance.start({
        env: { ...env, MASTER_KEY, LOG_LEVEL: 'warn', ADMIN_PASSWORD: ADMIN.password },
      });
      try {
        expect(instance.stdout).toMatch(
          /"level":"warn".*does not keep prepared statements. Set DB_PREPARED=false/,
        );
        const { token } = await signIn(instance.url, ADMIN.email, ADMIN.password);
        const headers = { authorization: `Bearer ${token}` };
        const answers = await Promise.all(
          Array.from({ length: 20 }, () => fetch(`${instance.url}/api/users/me`, { headers })),
        );
        expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 20 }, () => 200));
      } finally {
        await instance.stop();
      }
    });
  }),
);
