import { readdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { runMigrations as migrateWorker } from 'graphile-worker';
import pg from 'pg';
import { QUEUE_SCHEMA } from '../queue-schema.js';
import { DataSource, type MigrationInterface } from 'typeorm';
import { grantServicePrivileges } from './service-privileges.js';
import { assertAppendOnly } from './assert-append-only.js';
import { connectionOptions } from '../driver/connections/connection-options.js';
import { withMigrationLock } from './migration-lock.js';
import { runMigrations } from './run-migrations.js';
import { shareServerConnections } from './detect-pooler.js';
import { refuseUnfinishedRestore } from './unfinished-restore.js';
import {
  CONNECT_TIMEOUT_MS,
  connectForStart,
  DatabaseStartError,
  MIGRATOR,
  ownerAddress,
} from './start-connection.js';

/** The oldest PostgreSQL version that supports the SQL of the service. */
const MIN_SERVER_VERSION = 160_000;
const LOCK_TIMEOUT_MS = 120_000;

type MigrationClass = new () => MigrationInterface;

export interface DatabaseAddresses {
  readonly DATABASE_URL: string;
  /** The owner's address, when the owner is not the service's role. */
  readonly MIGRATION_DATABASE_URL?: string | undefined;
}

/**
 * Migrates the schema as its owner, one transaction per migration, and grants the service's role the
 * privileges it needs. Many instances may call it at once: one migrates under a lock, and the next finds
 * nothing to do.
 * @param notice receives the name of the lock's holder when this instance has to wait for it, and that of a
 * migration that waits for a table
 * @returns the names of the migrations that ran
 * @throws DatabaseStartError when the server is too old, cannot be reached within 10 s, or is behind a
 * transaction pooler. Also thrown when another session has held the lock or a table for 120 s, append-only
 * tables are unprotected, or a restore of the database was interrupted.
 */
export function migrate(
  addresses: DatabaseAddresses,
  notice: (message: string) => void = () => {},
): Promise<string[]> {
  return withMigrator(addresses, notice, async (migrator) => {
    await refuseUnfinishedRestore(migrator.client);
    return migrator.bringUpToDate();
  });
}

/**
 * Runs `work` with a connection of the owner that holds the migration lock. The lock belongs to a session, so an
 * address that leads through a transaction pooler is refused.
 * @throws DatabaseStartError as {@link migrate} does
 */
export async function withMigrator<T>(
  addresses: DatabaseAddresses,
  notice: (message: string) => void,
  work: (migrator: Migrator) => Promise<T>,
): Promise<T> {
  const owner = ownerAddress(addresses);
  const lock = await connectForStart(owner);
  try {
    await refuseOldServer(lock);
    await refusePooler(lock, addresses);
    await lock.query(`SET lock_timeout = ${LOCK_TIMEOUT_MS}`);
    return await withMigrationLock(lock, notice, () =>
      work(new Migrator(lock, { url: owner.url, serviceUrl: addresses.DATABASE_URL, notice })),
    );
  } finally {
    await lock.end();
  }
}

interface Surroundings {
  /** The owner's address. */
  readonly url: string;
  readonly serviceUrl: string;
  /** Receives the name of a migration that waits for a table. */
  readonly notice: (message: string) => void;
}

/** Changes the schema. Whoever has one holds the migration lock. */
export class Migrator {
  constructor(
    /** The connection of the owner that holds the lock. */
    readonly client: pg.Client,
    private readonly surroundings: Surroundings,
  ) {}

  /**
   * Creates the schema as these migrations leave it, and that of the task queue as this version has it. The names must
   * be known.
   */
  async createSchema(names: readonly string[]): Promise<void> {
    const { url, notice } = this.surroundings;
    await runPending(url, notice, (migration) => names.includes(migration.name));
    await migrateQueue(url);
  }

  /** Runs all pending migrations and what must follow them. @returns their names */
  async bringUpToDate(): Promise<string[]> {
    const { client } = this;
    const { url, serviceUrl, notice } = this.surroundings;
    const names = await runPending(url, notice);
    await assertAppendOnly(client);
    // Runs before any write, because transaction IDs start over in another cluster and after a promotion.
    await client.query('SELECT begin_epoch()');
    // The job queue migrates its own schema under its own lock.
    await migrateQueue(url);
    if (url !== serviceUrl) await grantServicePrivileges(client, serviceUrl);
    return names;
  }
}

export async function findMigrations(): Promise<MigrationClass[]> {
  const folder = new URL('../../../../migrations/', import.meta.url);
  const files = (await readdir(fileURLToPath(folder))).filter((file) => /^\d+-[^.]+\.[jt]s$/.test(file));
  const modules = await Promise.all(
    files
      .toSorted()
      .map((file) => import(new URL(file, folder).href) as Promise<Record<string, MigrationClass>>),
  );
  return modules.flatMap((module) => Object.values(module));
}

async function runPending(
  url: string,
  notice: (message: string) => void,
  isWanted: (migration: MigrationClass) => boolean = () => true,
): Promise<string[]> {
  const { connectionString, ...connection } = connectionOptions(url);
  const dataSource = new DataSource({
    type: 'postgres',
    url: connectionString,
    applicationName: MIGRATOR,
    migrations: (await findMigrations()).filter(isWanted),
    migrationsTransactionMode: 'each',
    installExtensions: false,
    // Silent. The usual logger prints every failed attempt between the lines of the log; the last failure is thrown.
    logger: 'debug',
    extra: { ...connection, max: 1, connectionTimeoutMillis: CONNECT_TIMEOUT_MS },
  });
  await dataSource.initialize();
  try {
    return await runMigrations(dataSource, { notice });
  } finally {
    await dataSource.destroy();
  }
}

async function migrateQueue(url: string): Promise<void> {
  const pgPool = new pg.Pool({
    ...connectionOptions(url),
    application_name: MIGRATOR,
    max: 1,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
  });
  // A broken connection fails the statement it runs. graphile-worker requires both listeners on the pool.
  pgPool.on('error', () => undefined);
  pgPool.on('connect', (client) => client.on('error', () => undefined));
  try {
    await migrateWorker({ pgPool, schema: QUEUE_SCHEMA, parsedCronItems: [] });
  } finally {
    await pgPool.end();
  }
}

async function refusePooler(lock: pg.Client, addresses: DatabaseAddresses): Promise<void> {
  const owner = ownerAddress(addresses);
  const second = await connectForStart(owner);
  try {
    if (!(await shareServerConnections(lock, second))) return;
  } finally {
    await second.end();
  }
  throw new DatabaseStartError(
    `${owner.name} leads through a transaction pooler, and migrations need a connection of their own: ` +
      'set MIGRATION_DATABASE_URL to the address of the database itself',
  );
}

async function refuseOldServer(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ number: string; version: string }>(
    `SELECT current_setting('server_version_num') AS number, current_setting('server_version') AS version`,
  );
  const [server] = rows;
  if (Number(server?.number) < MIN_SERVER_VERSION) {
    throw new DatabaseStartError(
      `PostgreSQL ${server?.version} is too old: Gatehouse needs ${MIN_SERVER_VERSION / 10_000} or newer`,
    );
  }
}
