import pg from 'pg';
import type { Config } from '../../../config/config.js';
import { connectForStart } from './start-connection.js';

const BACKEND = 'SELECT pg_backend_pid() AS pid';
/**
 * A named statement. A pooler that does not track prepared statements sends it to a server connection that
 * lacks it or already has it.
 */
const PROBE_STATEMENT = { name: 'gatehouse_probe', text: 'SELECT 1' };
const NO_SUCH_STATEMENT = '26000';
const STATEMENT_EXISTS = '42P05';

/**
 * Tells whether two connections share server connections, as they do behind a pooler in transaction mode.
 * Nothing that belongs to a session works there: no session lock, no setting, no notification.
 */
export async function shareServerConnections(first: pg.Client, second: pg.Client): Promise<boolean> {
  // Asked twice, because a pooler that rotates its connections shows it here.
  const own = [await backendOf(first), await backendOf(first)];
  // A pooler that hands out the last used connection gives it to the second client, and another one to the
  // first.
  await second.query('BEGIN');
  try {
    const other = await backendOf(second);
    if (own.includes(other)) return true;
    own.push(await backendOf(first));
  } finally {
    await second.query('ROLLBACK');
  }
  return new Set(own).size > 1;
}

/** Tells whether a transaction pooler keeps the prepared statements of each of two connections. */
async function keepPreparedStatements(first: pg.Client, second: pg.Client): Promise<boolean> {
  try {
    await first.query(PROBE_STATEMENT);
    await first.query(PROBE_STATEMENT);
    await second.query('BEGIN');
    await second.query(PROBE_STATEMENT);
    await second.query('ROLLBACK');
    await first.query(PROBE_STATEMENT);
    return true;
  } catch (error) {
    const code = error instanceof pg.DatabaseError ? error.code : undefined;
    if (code === NO_SUCH_STATEMENT || code === STATEMENT_EXISTS) return false;
    throw error;
  }
}

/**
 * Turns `DB_PREPARED` off when `DATABASE_URL` leads through a pooler that does not keep prepared statements.
 * Requests would otherwise fail at random. Examples are PgBouncer before 1.21 or with
 * `max_prepared_statements = 0`.
 */
export async function adaptToPooler<C extends Config & { readonly DATABASE_URL: string }>(
  config: C,
  notice: (message: string) => void,
): Promise<C> {
  if (!config.DB_PREPARED || (await keepsPreparedStatements(config.DATABASE_URL))) return config;
  notice(
    'DATABASE_URL leads through a pooler that does not keep prepared statements. Set DB_PREPARED=false (applied to this run), ' +
      'or let the pooler keep them (PgBouncer 1.21 or newer with max_prepared_statements above 0)',
  );
  return Object.freeze({ ...config, DB_PREPARED: false });
}

async function keepsPreparedStatements(url: string): Promise<boolean> {
  const address = { name: 'DATABASE_URL', url } as const;
  const first = await connectForStart(address);
  try {
    const second = await connectForStart(address);
    try {
      return !(await shareServerConnections(first, second)) || (await keepPreparedStatements(first, second));
    } finally {
      await second.end();
    }
  } finally {
    await first.end();
  }
}

async function backendOf(client: pg.Client): Promise<number | undefined> {
  return (await client.query<{ pid: number }>(BACKEND)).rows[0]?.pid;
}
