import type { Client } from 'pg';
import { DatabaseStartError } from './start-connection.js';

/**
 * Selects each table declared append-only, and each of its partitions, that lacks one of the two triggers. A
 * trigger counts only if it fires for every role (`ENABLE ALWAYS`).
 */
const UNGUARDED = `
  WITH RECURSIVE history AS (
    SELECT c.oid FROM pg_class c
    JOIN pg_description d ON d.objoid = c.oid AND d.classoid = 'pg_class'::regclass AND d.objsubid = 0
    WHERE c.relnamespace = 'public'::regnamespace AND d.description ~ '^append-only\\M'
    UNION
    SELECT inhrelid FROM pg_inherits JOIN history ON inhparent = history.oid
  )
  SELECT history.oid::regclass::text AS name FROM history
  WHERE (SELECT count(*) FROM pg_trigger
         WHERE tgrelid = history.oid AND tgname IN ('refuse_change', 'refuse_truncate') AND tgenabled = 'A') < 2
  ORDER BY 1`;

/**
 * Rejects a start unless every append-only table has its triggers. The privileges of the service's role
 * protect the history first; the triggers (`make_append_only`) are the second protection.
 * @throws DatabaseStartError which names the tables
 */
export async function assertAppendOnly(client: Client): Promise<void> {
  const { rows } = await client.query<{ name: string }>(UNGUARDED);
  if (rows.length === 0) return;
  const names = rows.map(({ name }) => name).join(', ');
  throw new DatabaseStartError(
    `Append-only tables are not protected: triggers are missing or disabled on ${names}. Restore them with make_append_only`,
  );
}
