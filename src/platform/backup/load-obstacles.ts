import type pg from 'pg';
import { notOfExtension, OWN_SCHEMA } from './service-tables.js';

interface Change {
  readonly remove: string;
  readonly putBack: string;
}

const OWN_TABLE = `
  pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    AND c.relkind IN ('r', 'p') AND ${OWN_SCHEMA} AND ${notOfExtension('pg_class', 'c.oid')}`;
const NAME = `format('%I.%I', n.nspname, c.relname)`;

/** A foreign key of a partition comes with that of its parent. */
const FOREIGN_KEYS = `
  SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', ${NAME}, r.conname) AS remove,
         format('ALTER TABLE %s ADD CONSTRAINT %I %s', ${NAME}, r.conname, pg_get_constraintdef(r.oid)) AS "putBack"
  FROM pg_constraint r JOIN ${OWN_TABLE} ON c.oid = r.conrelid
  WHERE r.contype = 'f' AND r.conparentid = 0`;

/**
 * Selects the indexes whose definition says all about them. It does not for those of constraints and partitions, and for
 * those with a comment or statistics of their own.
 */
const INDEXES = `
  SELECT format('DROP INDEX %I.%I', n.nspname, ic.relname) AS remove, pg_get_indexdef(i.indexrelid) AS "putBack"
  FROM pg_index i JOIN pg_class ic ON ic.oid = i.indexrelid JOIN ${OWN_TABLE} ON c.oid = i.indrelid
  WHERE c.relkind = 'r' AND NOT c.relispartition AND i.indisvalid AND NOT i.indisreplident AND NOT i.indisclustered
    AND NOT EXISTS (SELECT FROM pg_constraint r WHERE r.conindid = i.indexrelid AND r.contype <> 'f')
    AND NOT EXISTS (SELECT FROM pg_description d WHERE d.objoid = i.indexrelid AND d.classoid = 'pg_class'::regclass)
    AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = i.indexrelid AND coalesce(a.attstattarget, -1) <> -1)`;

/** The triggers of foreign keys are gone with them, and those of the service are the owner's to disable. */
const TRIGGERS = `
  SELECT format('ALTER TABLE ONLY %s DISABLE TRIGGER %I', ${NAME}, t.tgname) AS remove,
         format('ALTER TABLE ONLY %s ENABLE %s TRIGGER %I', ${NAME},
                CASE t.tgenabled WHEN 'A' THEN 'ALWAYS' WHEN 'R' THEN 'REPLICA' ELSE '' END, t.tgname) AS "putBack"
  FROM pg_trigger t JOIN ${OWN_TABLE} ON c.oid = t.tgrelid
  WHERE NOT t.tgisinternal AND t.tgenabled <> 'D'`;

/**
 * Removes what stands between rows and their tables, and puts it back: triggers, which have fired once for each row already, foreign keys, which
 * demand an order, and indexes, which are faster to build than to extend. Switching off all triggers at once
 * (`session_replication_role`) needs a superuser, and the owner of the tables is none.
 */
export class LoadObstacles {
  private constructor(
    private readonly client: pg.ClientBase,
    private readonly changes: readonly Change[],
  ) {}

  static async find(client: pg.ClientBase): Promise<LoadObstacles> {
    const changes: Change[] = [];
    for (const sql of [FOREIGN_KEYS, INDEXES, TRIGGERS])
      changes.push(...(await client.query<Change>(sql)).rows);
    return new LoadObstacles(client, changes);
  }

  async remove(): Promise<void> {
    for (const { remove } of this.changes) await this.client.query(remove);
  }

  /** Puts foreign keys back last, because they may stand on an index. */
  async putBack(): Promise<void> {
    for (const { putBack } of this.changes.toReversed()) await this.client.query(putBack);
  }
}
