import type pg from 'pg';
import { DatabaseStartError } from '../database/startup/start-connection.js';
import { UNFINISHED_RESTORE } from '../database/startup/unfinished-restore.js';
import { notOfExtension, OWN_SCHEMA } from './service-tables.js';

const MAX_NAMED = 5;

/** Leaves out what goes with a table: its types, its partitions and the sequences of its columns. */
const OBJECTS = `
  SELECT 'SCHEMA' AS kind, format('%I', n.nspname) AS name FROM pg_namespace n
  WHERE ${OWN_SCHEMA} AND n.nspname <> 'public' AND ${notOfExtension('pg_namespace', 'n.oid')}
  UNION ALL
  SELECT CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE'
                        WHEN 'f' THEN 'FOREIGN TABLE' WHEN 'c' THEN 'TYPE' ELSE 'TABLE' END,
         format('%I.%I', n.nspname, c.relname)
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f', 'c') AND c.relpersistence <> 't' AND NOT c.relispartition
    AND n.nspname = 'public' AND ${notOfExtension('pg_class', 'c.oid')}
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                    AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i'))
  UNION ALL
  SELECT 'ROUTINE', p.oid::regprocedure::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
  WHERE n.nspname = 'public' AND ${notOfExtension('pg_proc', 'p.oid')}
  UNION ALL
  SELECT 'TYPE', format('%I.%I', n.nspname, t.typname) FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
  WHERE t.typtype IN ('d', 'e', 'r') AND n.nspname = 'public' AND ${notOfExtension('pg_type', 't.oid')}`;

interface DatabaseObject {
  readonly kind: string;
  readonly name: string;
}

const findObjects = async (client: pg.ClientBase): Promise<DatabaseObject[]> =>
  (await client.query<DatabaseObject>(OBJECTS)).rows;

export type TargetState = 'empty' | 'unfinished';

/**
 * Tells whether the database is empty, or holds what an interrupted restore has left.
 * @throws DatabaseStartError which names what is there otherwise
 */
export async function examineTarget(client: pg.ClientBase): Promise<TargetState> {
  const objects = await findObjects(client);
  if (objects.length === 0) return 'empty';
  if (objects.some(({ name }) => name === UNFINISHED_RESTORE)) return 'unfinished';
  const named = objects.slice(0, MAX_NAMED).map(({ kind, name }) => `${kind.toLowerCase()} ${name}`);
  const more = objects.length > MAX_NAMED ? ` and ${objects.length - MAX_NAMED} more` : '';
  throw new DatabaseStartError(
    `The database is not empty: it contains ${named.join(', ')}${more}. Restore into a new database`,
  );
}

/** Marks the database, in a transaction of its own, as one that only an unfinished restore has filled. */
export async function markUnfinished(client: pg.ClientBase): Promise<void> {
  await client.query(`CREATE TABLE ${UNFINISHED_RESTORE} (began_at timestamptz NOT NULL)`);
  await client.query(`INSERT INTO ${UNFINISHED_RESTORE} VALUES (clock_timestamp())`);
}

export async function unmark(client: pg.ClientBase): Promise<void> {
  await client.query(`DROP TABLE ${UNFINISHED_RESTORE}`);
}

/** Removes all that a restore has created, in one transaction. The mark goes with the rest. */
export async function clearTarget(client: pg.ClientBase): Promise<void> {
  await client.query('BEGIN');
  for (const { kind, name } of await findObjects(client)) {
    // One that an earlier one took along is gone.
    await client.query(`DROP ${kind} IF EXISTS ${name} CASCADE`);
  }
  await client.query('COMMIT');
}
