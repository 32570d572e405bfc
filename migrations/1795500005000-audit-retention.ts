import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Whole months of the audit trail may go, each announced by a signed row and by an entry of the trail itself. */
export class AuditRetention1795500005000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    // The hashes of the leaves stay in the seals: `leaves` says which of them belong to the month. `entry` are the bytes
    // of the entry that announces it, which may be dropped itself one day.
    await runner.query(`
      CREATE TABLE audit_retentions (
        month text COLLATE "C" CONSTRAINT audit_retentions_pkey PRIMARY KEY,
        entries bigint NOT NULL,
        leaves text COLLATE "C" NOT NULL,
        seal_hash bytea NOT NULL,
        announced_at timestamptz(3) NOT NULL,
        kid text COLLATE "C" NOT NULL,
        hash bytea NOT NULL,
        signature bytea NOT NULL,
        epoch integer NOT NULL,
        xid xid8 NOT NULL,
        seq bigint NOT NULL,
        entry bytea NOT NULL
      )`);
    await runner.query(`SELECT make_append_only('audit_retentions')`);
    await runner.query(
      `COMMENT ON TABLE audit_retentions IS 'append-only: the months that the audit trail may lack'`,
    );
    // The signature is checked by who verifies the trail. What is checked here keeps a month that nobody announced, or
    // that is not the one which was announced.
    await runner.query(`
      CREATE FUNCTION drop_audit_month(month text, kept_months integer) RETURNS void
      LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
      -- Whoever writes meanwhile waits no longer than this.
      SET lock_timeout = '100ms' AS $$
      DECLARE
        first date := to_date(month, 'YYYY-MM');
        name text := 'audit_entries_' || to_char(first, 'YYYY_MM');
        announced audit_retentions;
        found_entries bigint;
      BEGIN
        IF kept_months < 1 OR first + make_interval(months => kept_months + 1) > clock_timestamp() AT TIME ZONE 'UTC' THEN
          RAISE EXCEPTION 'the month % is still to be kept', month USING ERRCODE = 'insufficient_privilege';
        END IF;
        SELECT * INTO announced FROM audit_retentions r WHERE r.month = to_char(first, 'YYYY-MM');
        IF NOT FOUND THEN
          RAISE EXCEPTION 'nothing announces that % is dropped', month USING ERRCODE = 'insufficient_privilege';
        END IF;
        IF NOT EXISTS (SELECT FROM audit_seals s
                       WHERE (s.epoch, s.xid, s.seq) >= (announced.epoch, announced.xid, announced.seq)) THEN
          RAISE EXCEPTION 'what announces that % is dropped is not sealed yet', month USING ERRCODE = 'insufficient_privilege';
        END IF;
        -- Nobody adds to it while it is counted; who reads, or writes to another month, is let past.
        EXECUTE format('LOCK TABLE %I IN SHARE ROW EXCLUSIVE MODE', name);
        EXECUTE format('SELECT count(*) FROM %I', name) INTO found_entries;
        IF found_entries <> announced.entries THEN
          RAISE EXCEPTION '% entries of % were announced, and % are there', announced.entries, month, found_entries
            USING ERRCODE = 'insufficient_privilege';
        END IF;
        EXECUTE format('DROP TABLE %I', name);
      END $$`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP FUNCTION drop_audit_month`);
    await runner.query(`DROP TABLE audit_retentions`);
  }
}
