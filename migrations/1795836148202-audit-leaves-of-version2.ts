import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Adds the reason of a refusal and the digest of the IP address to audit entries. An entry with one of them has a leaf
 * of version 2 (`leaf.ts`); every other entry, such as those of the previous release, keeps version 1.
 *
 * An instance of the previous release that seals beside this one would sign hashes without the two columns, and the
 * entries would look changed ever after. Its seals are refused while they cover such an entry, so an instance that
 * knows version 2 makes them.
 */
export class AuditLeavesOfVersion21795836148202 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    // Every write has an audit entry, and would queue behind a lock that waits. So it is tried briefly, for a minute.
    await runner.query(`
      DO $$ BEGIN
        SET LOCAL lock_timeout = '250ms';
        FOR attempt IN 1..120 LOOP
          BEGIN
            ALTER TABLE audit_entries ADD COLUMN reason text COLLATE "C", ADD COLUMN ip_digest bytea;
            RETURN;
          EXCEPTION WHEN lock_not_available THEN
            IF attempt = 120 THEN RAISE; END IF;
            PERFORM pg_sleep(0.25);
          END;
        END LOOP;
      END $$`);
    await runner.query(`SET LOCAL lock_timeout = 0`);
    await runner.query(`ALTER TABLE audit_seals ADD COLUMN leaf_version smallint NOT NULL DEFAULT 1`);
    await runner.query(`
      CREATE FUNCTION refuse_older_leaves() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
      DECLARE
        last audit_seals;
      BEGIN
        SELECT * INTO last FROM audit_seals WHERE number = NEW.number - 1;
        IF EXISTS (
          SELECT FROM audit_entries
          WHERE (epoch, xid, seq) > (coalesce(last.epoch, 0), coalesce(last.xid, '0'), coalesce(last.seq, 0))
            AND (epoch, xid, seq) <= (NEW.epoch, NEW.xid, NEW.seq)
            AND (reason IS NOT NULL OR ip_digest IS NOT NULL)
        ) THEN
          RAISE EXCEPTION 'seal % covers entries of version 2, which only a newer release can seal', NEW.number
            USING ERRCODE = 'object_not_in_prerequisite_state';
        END IF;
        RETURN NEW;
      END $$`);
    await runner.query(`
      CREATE TRIGGER refuse_older_leaves BEFORE INSERT ON audit_seals
      FOR EACH ROW WHEN (NEW.leaf_version < 2) EXECUTE FUNCTION refuse_older_leaves()`);
  }

  /** Loses the two columns. Entries that were sealed with one of them do not verify any more. */
  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP TRIGGER refuse_older_leaves ON audit_seals`);
    await runner.query(`DROP FUNCTION refuse_older_leaves`);
    await runner.query(`ALTER TABLE audit_seals DROP COLUMN leaf_version`);
    await runner.query(`ALTER TABLE audit_entries DROP COLUMN reason, DROP COLUMN ip_digest`);
  }
}
