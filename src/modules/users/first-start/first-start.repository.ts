import type { Client } from 'pg';
import { ACTIVE_ADMIN } from '../users.repository.js';

/**
 * Returns true when startup must create the first administrator. Also works on a database without a schema.
 */
export async function hasNoAdministrator(client: Client): Promise<boolean> {
  const { rows: tables } = await client.query<{ made: boolean }>(
    `SELECT to_regclass('public.users') IS NOT NULL AS made`,
  );
  if (tables[0]?.made !== true) return true;
  const { rows } = await client.query(`SELECT 1 FROM public.users WHERE ${ACTIVE_ADMIN} LIMIT 1`);
  return rows.length === 0;
}
