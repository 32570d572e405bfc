import type pg from 'pg';
import { QUEUE_SCHEMA } from '../database/queue-schema.js';
import type { BackupTable } from './backup-manifest.js';

/** Tables that no backup contains, each with its reason. */
export const OMITTED_TABLES: ReadonlyMap<string, string> = new Map([
  [
    `${QUEUE_SCHEMA}.migrations`,
    'a restore lets the task queue create its own schema, and this table describes it',
  ],
]);

/** Schemas that belong to PostgreSQL. */
export const OWN_SCHEMA = `n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'`;

/** Restricts to objects that no extension has brought. */
export const notOfExtension = (catalog: string, oid: string): string =>
  `NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = '${catalog}'::regclass AND d.objid = ${oid} AND d.deptype = 'e')`;

const NAME = `format('%I.%I', n.nspname, c.relname)`;

/** A partitioned table has no rows of its own. Generated columns are computed again. */
const TABLES = `
  SELECT ${NAME} AS name,
         ARRAY(SELECT quote_ident(a.attname) FROM pg_attribute a
               WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
               ORDER BY a.attnum) AS columns,
         (SELECT format('%I.%I', pn.nspname, pc.relname)
          FROM pg_inherits i JOIN pg_class pc ON pc.oid = i.inhparent JOIN pg_namespace pn ON pn.oid = pc.relnamespace
          WHERE i.inhrelid = c.oid) AS "partitionOf"
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND ${OWN_SCHEMA} AND ${notOfExtension('pg_class', 'c.oid')}
  ORDER BY 1`;

const SEQUENCES = `
  SELECT ${NAME} AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind = 'S' AND ${OWN_SCHEMA} AND ${notOfExtension('pg_class', 'c.oid')}
  ORDER BY 1`;

/** Finds every table with rows of the service, partitions included, except {@link OMITTED_TABLES}. */
export async function findTables(client: pg.ClientBase): Promise<BackupTable[]> {
  const { rows } = await client.query<BackupTable>(TABLES);
  return rows.filter(({ name }) => !OMITTED_TABLES.has(name));
}

export async function findSequences(client: pg.ClientBase): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(SEQUENCES);
  return rows.map(({ name }) => name);
}
