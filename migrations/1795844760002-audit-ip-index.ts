import type { MigrationInterface, QueryRunner } from 'typeorm';

interface Partition {
  readonly name: string;
}

/** Selects the partitions of the audit log without their part of the index. */
const WITHOUT_INDEX = `
  SELECT month.inhrelid::regclass::text AS name FROM pg_inherits AS month
  WHERE month.inhparent = 'audit_entries'::regclass
    AND NOT EXISTS (SELECT FROM pg_inherits AS part JOIN pg_index ON indexrelid = part.inhrelid
                    WHERE part.inhparent = 'audit_entries_by_ip'::regclass AND indrelid = month.inhrelid)
  ORDER BY 1`;

/**
 * Finds the entries from an IP address. Entries of earlier releases have no digest and are not in it. Each month gets its
 * part while entries are written; months that are created meanwhile have theirs from the start. It can be run again
 * after it was interrupted.
 */
export class AuditIpIndex1795844760002 implements MigrationInterface {
  readonly transaction = false;

  async up(runner: QueryRunner): Promise<void> {
    // Builds nothing, but waits for all who write entries, and they would queue behind it. So it is tried briefly.
    await runner.query(`
      DO $$ BEGIN
        SET LOCAL lock_timeout = '250ms';
        FOR attempt IN 1..120 LOOP
          BEGIN
            CREATE INDEX IF NOT EXISTS audit_entries_by_ip ON ONLY audit_entries (ip_digest, occurred_at, id)
              WHERE ip_digest IS NOT NULL;
            RETURN;
          EXCEPTION WHEN lock_not_available THEN
            IF attempt = 120 THEN RAISE; END IF;
            PERFORM pg_sleep(0.25);
          END;
        END LOOP;
      END $$`);
    for (const { name } of (await runner.query(WITHOUT_INDEX)) as Partition[]) {
      // Left over, and perhaps invalid, when it exists.
      await runner.query(`DROP INDEX CONCURRENTLY IF EXISTS ${name}_by_ip`);
      await runner.query(
        `CREATE INDEX CONCURRENTLY ${name}_by_ip ON ${name} (ip_digest, occurred_at, id) WHERE ip_digest IS NOT NULL`,
      );
      await runner.query(`ALTER INDEX audit_entries_by_ip ATTACH PARTITION ${name}_by_ip`);
    }
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP INDEX audit_entries_by_ip`);
  }
}
