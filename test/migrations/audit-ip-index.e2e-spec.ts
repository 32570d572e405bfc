import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { DataSource } from 'typeorm';
import { findMigrations } from '../../src/platform/database/startup/migrate.js';
import { HeldLock } from '../support/database/held-lock.js';
import { TestDatabase } from '../support/database/test-database.js';
import { until } from '../support/app/until.js';

interface Index {
  readonly month: string;
  readonly name: string;
  readonly valid: boolean;
}

let database: TestDatabase;
let source: DataSource;
beforeAll(async () => {
  database = await TestDatabase.create();
  source = await new DataSource({
    type: 'postgres',
    url: database.url,
    installExtensions: false,
  }).initialize();
});
afterAll(async () => {
  await source?.destroy();
  await database?.drop();
});

/** Runs the migration, as after the release before it. */
async function run(): Promise<void> {
  const migrations = await findMigrations();
  const Migration = migrations.find(({ name }) => name.startsWith('AuditIpIndex'));
  if (!Migration) throw new Error('the migration does not exist');
  const runner = source.createQueryRunner();
  try {
    await new Migration().up(runner);
  } finally {
    await runner.release();
  }
}
const undo = () => database.query('DROP INDEX audit_entries_by_ip');

/** Returns the parts of the index, and the index itself. */
const indexes = () =>
  database.query<Index>(
    `SELECT indrelid::regclass::text AS month, indexrelid::regclass::text AS name, indisvalid AS valid
     FROM pg_index WHERE indexrelid::regclass::text ~ '^audit_entries.*_by_ip$' ORDER BY 1`,
  );
const months = async () =>
  (
    await database.query<{ name: string }>(
      `SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'audit_entries'::regclass ORDER BY 1`,
    )
  ).map(({ name }) => name);
const complete = async () =>
  ['audit_entries', ...(await months())].map((month) => ({ month, name: `${month}_by_ip`, valid: true }));

describe('the index of IP addresses in the audit log', () => {
  it('has a valid part for each month', async () => {
    expect(await indexes()).toEqual(await complete());
  });

  it('is completed after a migration that was interrupted anywhere', async () => {
    const [first = '', second = ''] = await months();
    await undo();
    await database.query(
      'CREATE INDEX audit_entries_by_ip ON ONLY audit_entries (ip_digest, occurred_at, id) WHERE ip_digest IS NOT NULL',
    );
    await database.query(
      `CREATE INDEX ${first}_by_ip ON ${first} (ip_digest, occurred_at, id) WHERE ip_digest IS NOT NULL`,
    );
    await database.query(`ALTER INDEX audit_entries_by_ip ATTACH PARTITION ${first}_by_ip`);
    await database.query(`CREATE INDEX ${second}_by_ip ON ${second} (ip_digest)`);
    await database.query(
      `UPDATE pg_index SET indisvalid = false WHERE indexrelid = '${second}_by_ip'::regclass`,
    );
    await run();
    expect(await indexes()).toEqual(await complete());
    await run();
    expect(await indexes()).toEqual(await complete());
  });

  it('waits for a writer only briefly at a time, so that others write meanwhile', async () => {
    await undo();
    const writer = await HeldLock.take(
      database.url,
      `INSERT INTO audit_entries (id, occurred_at, actor_type, action, outcome)
       VALUES (gen_random_uuid(), clock_timestamp(), 'system', 'key.rotate', 'success')`,
    );
    const running = run();
    try {
      await until(async () => (await writer.waiting()) === 1);
      await database.query(
        `INSERT INTO audit_entries (id, occurred_at, actor_type, action, outcome)
         VALUES (gen_random_uuid(), clock_timestamp(), 'system', 'key.rotate', 'success')`,
      );
    } finally {
      await writer.release();
    }
    await running;
    expect(await indexes()).toEqual(await complete());
  });
});
