import { setTimeout as pause } from 'node:timers/promises';
import { type DataSource, type MigrationInterface, QueryFailedError } from 'typeorm';
import { DatabaseStartError } from './start-connection.js';

/**
 * The longest wait of a migration for a lock. All later requests for the table queue behind a waiting migration, and they
 * give up after 3 s.
 */
const LOCK_TIMEOUT_MS = 1000;
/** The time between two attempts, for the requests that queued. */
const RETRY_AFTER_MS = 1000;
const GIVE_UP_AFTER_MS = 120_000;
/** The SQLSTATE of a statement that lock_timeout ended. */
const LOCK_NOT_AVAILABLE = '55P03';

interface Waiting {
  /** Receives the name of the migration that has to wait, once for each. */
  readonly notice: (message: string) => void;
  /** The time in ms for which one migration is tried again. */
  readonly giveUpAfterMs?: number;
}

/**
 * Runs the pending migrations, each in a transaction of its own. A long transaction, such as that of a backup, can use a table
 * that a migration changes. The migration then waits briefly and is tried again, so that the table stays usable. A
 * migration without a transaction has no such limit, because it must wait for older transactions and blocks nobody.
 * @returns the names of the migrations that ran
 * @throws DatabaseStartError when a migration did not get its lock for 120 s
 */
export async function runMigrations(
  dataSource: DataSource,
  { notice, giveUpAfterMs = GIVE_UP_AFTER_MS }: Waiting,
): Promise<string[]> {
  const done: string[] = [];
  let current = '';
  for (const migration of dataSource.migrations) {
    limitLockWaits(migration, {
      onBegin: (name) => (current = name),
      onEnd: (name) => done.push(name),
    });
  }
  for (let [waiting, since] = ['', 0]; ;) {
    try {
      await dataSource.runMigrations();
      return done;
    } catch (error) {
      if (!(error instanceof QueryFailedError && codeOf(error) === LOCK_NOT_AVAILABLE)) throw error;
      if (waiting !== current) {
        [waiting, since] = [current, performance.now()];
        notice(`the migration ${current} waits for a transaction that uses the same table`);
      }
      if (performance.now() - since > giveUpAfterMs) throw triedTooLong(current, giveUpAfterMs, error);
      await pause(RETRY_AFTER_MS);
    }
  }
}

interface Progress {
  readonly onBegin: (name: string) => void;
  readonly onEnd: (name: string) => void;
}

function limitLockWaits(migration: MigrationInterface, { onBegin, onEnd }: Progress): void {
  const name = migration.name ?? migration.constructor.name;
  const up = migration.up.bind(migration);
  migration.up = async (runner) => {
    onBegin(name);
    if (migration.transaction !== false) await runner.query(`SET LOCAL lock_timeout = ${LOCK_TIMEOUT_MS}`);
    await up(runner);
    onEnd(name);
  };
}

const codeOf = ({ driverError }: QueryFailedError): string | undefined =>
  (driverError as { readonly code?: string }).code;

const triedTooLong = (name: string, ms: number, cause: Error): DatabaseStartError =>
  new DatabaseStartError(
    `The migration ${name} could not lock its table for ${ms / 1000} s: end the transaction that uses it, or start again later`,
    { cause },
  );
