import type { TestDatabase } from './test-database.js';

/** Excludes objects that belong to an extension. */
const OWN = (catalog: string, oid: string) => `
  NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = '${catalog}'::regclass AND d.objid = ${oid} AND d.deptype = 'e')`;

const OBJECTS = `
  SELECT format('%s %s %I', CASE c.relkind WHEN 'S' THEN 'sequence' WHEN 'v' THEN 'view' WHEN 'm' THEN 'view' ELSE 'table' END,
           n.nspname, c.relname) AS object,
         format('persistence %s, options %s, row security %s', c.relpersistence, c.reloptions, c.relrowsecurity) AS definition
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'S', 'v', 'm') AND ${OWN('pg_class', 'c.oid')}
  UNION ALL
  SELECT format('column %s.%I', c.oid::regclass, a.attname),
         concat_ws(' ', format_type(a.atttypid, a.atttypmod), a.attcollation::regcollation::text,
           CASE WHEN a.attnotnull THEN 'not null' END, 'identity', a.attidentity::text, 'generated', a.attgenerated::text,
           pg_get_expr(d.adbin, d.adrelid))
  FROM pg_attribute a
  JOIN pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p', 'v', 'm')
  JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
  WHERE a.attnum > 0 AND NOT a.attisdropped
  UNION ALL
  SELECT format('index %s', i.indexrelid::regclass), pg_get_indexdef(i.indexrelid) || ' valid ' || i.indisvalid
  FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  UNION ALL
  SELECT format('constraint %s.%I', r.conrelid::regclass, r.conname), pg_get_constraintdef(r.oid)
  FROM pg_constraint r JOIN pg_namespace n ON n.oid = r.connamespace
  UNION ALL
  SELECT format('trigger %s.%I', t.tgrelid::regclass, t.tgname), pg_get_triggerdef(t.oid) || ' ' || t.tgenabled::text
  FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE NOT t.tgisinternal
  UNION ALL
  SELECT format('function %s', p.oid::regprocedure), pg_get_functiondef(p.oid)
  FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
  WHERE p.prokind IN ('f', 'p') AND ${OWN('pg_proc', 'p.oid')}
  UNION ALL
  SELECT format('type %s', t.oid::regtype),
         concat_ws(' ', t.typtype, (SELECT string_agg(e.enumlabel, ',' ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid))
  FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
  WHERE t.typtype IN ('d', 'e') AND ${OWN('pg_type', 't.oid')}`;

/** Returns every object of ours in the database with its definition, except the list of migrations. */
export async function schemaDump(database: TestDatabase): Promise<string[]> {
  const sql = OBJECTS.replaceAll(
    'JOIN pg_namespace n ON',
    `JOIN pg_namespace n ON n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema' AND`,
  );
  const rows = await database.query<{ object: string; definition: string }>(
    `SELECT object, definition FROM (${sql}) AS objects ORDER BY object, definition`,
  );
  return rows
    .map(({ object, definition }) => `${object}: ${definition}`)
    .filter((line) => !/\bmigrations(?:_id_seq)?\b/.test(line));
}
