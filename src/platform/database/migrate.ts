import { readdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { runMigrations } from 'graphile-worker';
import type pg from 'pg';
import { JOB_SCHEMA } from '../jobs/job-schema.js';
import { DataSource, type MigrationInterface } from 'typeorm';
import { grantServicePrivileges } from './service-privileges.js';
import { assertAppendOnly } from './append-only.js';
import { CONNECT_TIMEOUT_MS, connectForStart, DatabaseStartError, MIGRATOR } from './start-connection.js';

/** The oldest PostgreSQL whose features the service's SQL uses. */
const OLDEST_VERSION = 160_000;
/** "gate" in ASCII: the key of the advisory lock under which an instance migrates. */
const MIGRATION_LOCK = 0x67617465;
const LOCK_TIMEOUT_MS = 120_000;
const LOCK_NOT_AVAILABLE = '55P03';

type MigrationClass = new () => MigrationInterface;

export interface DatabaseAddresses {
  readonly DATABASE_URL: string;
  /** Of the owner, when that is another role than the service's. */
  readonly MIGRATION_DATABASE_URL?: string | undefined;
}

/**
 * Brings the schema up to date as its owner, one transaction a migration, and grants the service's role
 * what it needs of it. Many instances may do so at once: they queue for an advisory lock, and the second
 * finds nothing to do. The lock is a session's, so the connection must be a direct one, not a pooler's.
 * @returns the names of the migrations that ran
 * @throws DatabaseStartError when the server is too old, cannot be reached within 10 s, or another
 * instance has been migrating for 120 s, and when the history could be changed
 */
export async function migrate({
  DATABASE_URL,
  MIGRATION_DATABASE_URL: url = DATABASE_URL,
}: DatabaseAddresses): Promise<string[]> {
  const lock = await connectForStart(url);
  try {
    await refuseOldServer(lock);
    await takeTurn(lock);
    const names = await runPending(url);
    await assertAppendOnly(lock);
    // Before anything is written: in another cluster, or after a promotion, transaction ids begin anew.
    await lock.query('SELECT begin_epoch()');
    // The job queue brings its own schema, and its own lock on it.
    await runMigrations({ connectionString: url, schema: JOB_SCHEMA, parsedCronItems: [] });
    if (url !== DATABASE_URL) await grantServicePrivileges(lock, DATABASE_URL);
    return names;
  } finally {
    await lock.end();
  }
}

export async function findMigrations(): Promise<MigrationClass[]> {
  const folder = new URL('../../../migrations/', import.meta.url);
  const files = (await readdir(fileURLToPath(folder))).filter((file) => /^\d+-[^.]+\.[jt]s$/.test(file));
  const modules = await Promise.all(
    files
      .toSorted()
      .map((file) => import(new URL(file, folder).href) as Promise<Record<string, MigrationClass>>),
  );
  return modules.flatMap((module) => Object.values(module));
}

async function runPending(url: string): Promise<string[]> {
  const dataSource = new DataSource({
    type: 'postgres',
    url,
    applicationName: MIGRATOR,
    migrations: await findMigrations(),
    migrationsTransactionMode: 'each',
    installExtensions: false,
    extra: { max: 1, connectionTimeoutMillis: CONNECT_TIMEOUT_MS },
  });
  await dataSource.initialize();
  try {
    return (await dataSource.runMigrations()).map((migration) => migration.name);
  } finally {
    await dataSource.destroy();
  }
}

async function takeTurn(client: pg.Client): Promise<void> {
  await client.query(`SET lock_timeout = ${LOCK_TIMEOUT_MS}`);
  try {
    await client.query('SELECT pg_advisory_lock($1)', [MIGRATION_LOCK]);
  } catch (cause) {
    if ((cause as pg.DatabaseError).code !== LOCK_NOT_AVAILABLE) throw cause;
    throw new DatabaseStartError(
      `Another instance has been migrating for more than ${LOCK_TIMEOUT_MS / 1000} s`,
      { cause },
    );
  }
}

async function refuseOldServer(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ number: string; version: string }>(
    `SELECT current_setting('server_version_num') AS number, current_setting('server_version') AS version`,
  );
  const [server] = rows;
  if (Number(server?.number) < OLDEST_VERSION) {
    throw new DatabaseStartError(
      `PostgreSQL ${server?.version} is too old: Gatehouse needs ${OLDEST_VERSION / 10_000} or newer`,
    );
  }
}
