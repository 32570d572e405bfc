import type { MigrationInterface, QueryRunner } from 'typeorm';

/** An export of the trail holds for as long as the trail loses no month: what it saw would not be whole any more. */
export class ExportMonths1795500011000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE FUNCTION audit_months_dropped() RETURNS integer
      LANGUAGE sql STABLE SET search_path = public, pg_temp
      BEGIN ATOMIC
        SELECT count(*)::integer FROM audit_retentions
        WHERE to_regclass('audit_entries_' || replace(month, '-', '_')) IS NULL;
      END`);
    // Those under way are from before: where a month has been dropped already, they begin anew.
    await runner.query(`ALTER TABLE exports ADD COLUMN months_dropped integer NOT NULL DEFAULT 0`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE exports DROP COLUMN months_dropped`);
    await runner.query(`DROP FUNCTION audit_months_dropped`);
  }
}
