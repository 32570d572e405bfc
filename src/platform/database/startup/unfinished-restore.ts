import type pg from 'pg';
import { DatabaseStartError } from './start-connection.js';

/** A table that exists from the first change of a restore to its last, so that no start mistakes the rest for a whole database. */
export const UNFINISHED_RESTORE = 'public.unfinished_restore';

/** @throws DatabaseStartError for a database that an interrupted restore has left */
export async function refuseUnfinishedRestore(client: pg.ClientBase): Promise<void> {
  const { rows } = await client.query<{ unfinished: boolean }>(
    'SELECT to_regclass($1) IS NOT NULL AS unfinished',
    [UNFINISHED_RESTORE],
  );
  if (!rows[0]?.unfinished) return;
  throw new DatabaseStartError(
    'A restore of this database was interrupted; run npm run restore again, which starts anew',
  );
}
