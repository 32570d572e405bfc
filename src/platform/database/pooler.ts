import pg from 'pg';
import type { Config } from '../../config/config.js';
import { connectForStart } from './start-connection.js';

const BACKEND = 'SELECT pg_backend_pid() AS pid';
/** Named: a pooler that does not know prepared statements sends it to a server that has none, or has it already. */
const KEPT = { name: 'gatehouse_probe', text: 'SELECT 1' };
const NO_SUCH_STATEMENT = '26000';
const STATEMENT_EXISTS = '42P05';

/**
 * Tells whether the two connections share server connections, as they do behind a pooler that gives one out
 * for a transaction at a time. Nothing that belongs to a session works there: no lock, no setting, no notice.
 */
export async function shareServerConnections(first: pg.Client, second: pg.Client): Promise<boolean> {
  // Twice: a pooler that hands out its connections in turn shows it here.
  const own = [await backendOf(first), await backendOf(first)];
  // One that hands out the last used connection gives it to the second, and another one to the first.
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

/** Tells whether each of two connections behind a transaction pooler keeps the statements that it has prepared. */
async function keepPreparedStatements(first: pg.Client, second: pg.Client): Promise<boolean> {
  try {
    await first.query(KEPT);
    await first.query(KEPT);
    await second.query('BEGIN');
    await second.query(KEPT);
    await second.query('ROLLBACK');
    await first.query(KEPT);
    return true;
  } catch (error) {
    const code = error instanceof pg.DatabaseError ? error.code : undefined;
    if (code === NO_SUCH_STATEMENT || code === STATEMENT_EXISTS) return false;
    throw error;
  }
}

/**
 * Returns the configuration with `DB_PREPARED` off when `DATABASE_URL` leads through a pooler that keeps no
 * prepared statements, such as PgBouncer before 1.21 or with `max_prepared_statements = 0`: requests would
 * fail at random.
 */
export async function adaptedToPooler<C extends Config & { readonly DATABASE_URL: string }>(
  config: C,
  notice: (message: string) => void,
): Promise<C> {
  if (!config.DB_PREPARED || (await keepsPreparedStatements(config.DATABASE_URL))) return config;
  notice(
    'DATABASE_URL leads through a pooler that keeps no prepared statements: set DB_PREPARED=false (done for this run), ' +
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
