import { setTimeout as pause } from 'node:timers/promises';
import type pg from 'pg';
import { DatabaseStartError } from './start-connection.js';

/** The key of the advisory lock held during migration: "gate" in ASCII. */
const MIGRATION_LOCK = 0x67617465;
const POLL_EVERY_MS = 100;
const REPORT_AFTER_MS = 2000;
const GIVE_UP_AFTER_MS = 120_000;

/**
 * Selects the lock's holder. Every role sees `application_name`; the other columns need the same role or
 * `pg_read_all_stats`.
 */
const HOLDER = `
  SELECT l.pid, a.application_name AS application, a.usename AS role, host(a.client_addr) AS address
  FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid
  WHERE l.locktype = 'advisory' AND l.granted AND l.classid = 0 AND l.objid = $1 AND l.objsubid = 1
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())`;

interface Holder {
  readonly pid: number;
  readonly application: string | null;
  readonly role: string | null;
  readonly address: string | null;
}

/**
 * Runs `work` while this session holds the migration lock. Polls for the lock instead of waiting in a
 * statement, because a waiting statement holds a snapshot. `CREATE INDEX CONCURRENTLY` in the holder's
 * migration waits for every snapshot older than the index, so the two would block each other.
 * @param notice receives the lock's holder once, after 2 s
 * @throws DatabaseStartError when another session has held the lock for 120 s
 */
export async function withMigrationLock<T>(
  client: pg.Client,
  notice: (message: string) => void,
  work: () => Promise<T>,
): Promise<T> {
  await takeLock(client, notice);
  try {
    return await work();
  } finally {
    // The end of the session also releases the lock, unless a pooler keeps the session. A lost session holds
    // none.
    await client.query('SELECT pg_advisory_unlock($1)', [MIGRATION_LOCK]).catch(() => undefined);
  }
}

async function takeLock(client: pg.Client, notice: (message: string) => void): Promise<void> {
  const startedAt = performance.now();
  const waited = () => performance.now() - startedAt;
  let reported = false;
  while (!(await tryLock(client))) {
    if (waited() > GIVE_UP_AFTER_MS) throw await heldTooLong(client);
    if (!reported && waited() > REPORT_AFTER_MS) {
      reported = true;
      const holder = await findHolder(client);
      if (holder) notice(`waiting for the migration lock, held by ${describeHolder(holder)}`);
    }
    await pause(POLL_EVERY_MS);
  }
}

async function tryLock(client: pg.Client): Promise<boolean> {
  const { rows } = await client.query<{ taken: boolean }>('SELECT pg_try_advisory_lock($1) AS taken', [
    MIGRATION_LOCK,
  ]);
  return rows[0]?.taken === true;
}

async function findHolder(client: pg.Client): Promise<Holder | undefined> {
  return (await client.query<Holder>(HOLDER, [MIGRATION_LOCK])).rows[0];
}

async function heldTooLong(client: pg.Client): Promise<DatabaseStartError> {
  const holder = await findHolder(client);
  const by = holder ? ` by ${describeHolder(holder)}` : '';
  const remedy = holder
    ? `; if nothing migrates there, end that session: SELECT pg_terminate_backend(${holder.pid})`
    : '';
  return new DatabaseStartError(
    `The migration lock has been held for more than ${GIVE_UP_AFTER_MS / 1000} s${by}${remedy}`,
  );
}

function describeHolder({ pid, application, role, address }: Holder): string {
  const name = application ? `"${application}"` : 'a session without a name';
  const facts = [
    `server process ${pid}`,
    ...(role === null ? [] : [`role ${role}`]),
    ...(address === null ? [] : [`from ${address}`]),
  ];
  return `${name} (${facts.join(', ')})`;
}
