import pg from 'pg';
import { SEAL_LOCK } from '../builders/audit.js';
import type { TestDatabase } from './test-database.js';

const TABLES = ['audit_entries', 'audit_seals', 'audit_keys', 'audit_retentions'] as const;

/** A superuser who has disabled the triggers, with a way to restore the audit log. */
export class Tampering {
  private constructor(private readonly database: TestDatabase) {}

  static async prepare(database: TestDatabase): Promise<Tampering> {
    for (const table of TABLES) await database.query(`CREATE TABLE saved_${table} AS TABLE ${table}`);
    return new Tampering(database);
  }

  /**
   * Runs these statements in one transaction while no instance seals. `session_replication_role` alone is not
   * enough.
   */
  async do(...statements: readonly (string | readonly [sql: string, values: unknown[]])[]): Promise<void> {
    const client = new pg.Client({ connectionString: this.database.url });
    await client.connect();
    try {
      await client.query('BEGIN');
      await client.query('SELECT pg_advisory_xact_lock($1)', [SEAL_LOCK]);
      await client.query('SET LOCAL session_replication_role = replica');
      for (const trigger of ['refuse_change', 'refuse_truncate']) {
        await client.query(`
          DO $$ DECLARE one regclass; BEGIN
            FOR one IN SELECT tgrelid::regclass FROM pg_trigger WHERE tgname = '${trigger}'
            LOOP EXECUTE format('ALTER TABLE %s DISABLE TRIGGER ${trigger}', one); END LOOP;
          END $$`);
      }
      for (const each of statements) {
        await (typeof each === 'string' ? client.query(each) : client.query(each[0], each[1]));
      }
      await client.query('COMMIT');
    } finally {
      await client.end();
    }
  }

  undo(): Promise<void> {
    return this.do(
      ...TABLES.flatMap((table) => [
        `DELETE FROM ${table}`,
        `INSERT INTO ${table} SELECT * FROM saved_${table}`,
      ]),
    );
  }
}
