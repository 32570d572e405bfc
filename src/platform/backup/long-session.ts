import type pg from 'pg';

/** The time for which the work waits for a lock, such as that of a migration. */
const LOCK_TIMEOUT = '30s';

/** Skips what the server does not know: `transaction_timeout` exists from PostgreSQL 17 on. */
const SETTINGS = `
  SELECT set_config(name, value, false)
  FROM (VALUES ('statement_timeout', '0'), ('transaction_timeout', '0'), ('idle_in_transaction_session_timeout', '0'),
               ('lock_timeout', '${LOCK_TIMEOUT}'), ('row_security', 'off')) AS wanted (name, value)
  WHERE EXISTS (SELECT FROM pg_settings s WHERE s.name = wanted.name)`;

/**
 * Prepares a connection for a transaction that may take hours, whatever limits its role has. Row security fails from
 * now on instead of hiding rows.
 */
export async function prepareLongSession(client: pg.ClientBase): Promise<void> {
  await client.query(SETTINGS);
}
