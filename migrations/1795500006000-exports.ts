import type { MigrationInterface, QueryRunner } from 'typeorm';

const IMAGE = `email, name, search_key, status, roles, email_verified, version, created_at, updated_at`;
/** All that an export sends or tests, but for the last sign-in: that is given as of sending. */
const EXPORTED = `email name search_key roles email_verified disabled deleted_at erased_at version created_at updated_at`;

const row = (name: string) => `(${EXPORTED.replaceAll(/(\w+) ?/g, `${name}.$1, `).replace(/, $/, '')})`;

/** What exports stand on: when each account changed last, how it was before, and the moments that are exported. */
export class Exports1795500006000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    // Rows that are there already count as settled: a constant is no rewrite. Only then the default of later rows.
    await runner.query(`
      ALTER TABLE users
        ADD COLUMN changed_epoch integer NOT NULL DEFAULT 0,
        ADD COLUMN changed_xid xid8 NOT NULL DEFAULT '0'`);
    await runner.query(`
      ALTER TABLE users
        ALTER COLUMN changed_epoch SET DEFAULT current_epoch(),
        ALTER COLUMN changed_xid SET DEFAULT pg_current_xact_id()`);
    // An account as it was from one transaction to another; the ids are those of the top transactions.
    await runner.query(`
      CREATE TABLE user_images (
        id uuid NOT NULL,
        from_epoch integer NOT NULL,
        from_xid xid8 NOT NULL,
        to_epoch integer NOT NULL,
        to_xid xid8 NOT NULL,
        written_at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
        email text NOT NULL,
        name text NOT NULL,
        search_key text COLLATE "C" NOT NULL,
        status text COLLATE "C" NOT NULL,
        roles text[] COLLATE "C" NOT NULL,
        email_verified boolean NOT NULL,
        version integer NOT NULL,
        created_at timestamptz(3) NOT NULL,
        updated_at timestamptz(3) NOT NULL
      )`);
    await runner.query(`CREATE INDEX user_images_by_id ON user_images (id)`);
    await runner.query(`CREATE INDEX user_images_by_age ON user_images (written_at)`);
    // What is sampled outlives the rows.
    await runner.query(`
      ALTER TABLE user_images
        ALTER email SET STATISTICS 0, ALTER name SET STATISTICS 0, ALTER search_key SET STATISTICS 0`);
    await this.trigger(runner);
    await runner.query(`
      CREATE TABLE exports (
        id uuid CONSTRAINT exports_pkey PRIMARY KEY,
        kind text COLLATE "C" NOT NULL,
        user_id uuid NOT NULL,
        session_id uuid NOT NULL,
        epoch integer NOT NULL DEFAULT current_epoch(),
        snapshot pg_snapshot NOT NULL DEFAULT pg_current_snapshot(),
        snapshot_at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
        total_estimate bigint NOT NULL
      )`);
    await runner.query(`CREATE INDEX exports_by_age ON exports (snapshot_at)`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP TABLE exports`);
    await runner.query(`DROP TRIGGER keep_image_of_deleted ON users`);
    await runner.query(`DROP TRIGGER keep_image ON users`);
    await runner.query(`DROP FUNCTION keep_user_image`);
    await runner.query(`DROP TABLE user_images`);
    await runner.query(`ALTER TABLE users DROP COLUMN changed_xid, DROP COLUMN changed_epoch`);
  }

  /** A state that its own transaction replaces was nobody's to see; one that is erased is never exported. */
  private async trigger(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE FUNCTION keep_user_image() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
      DECLARE
        epoch integer := current_epoch();
        xid xid8 := pg_current_xact_id();
        image users := OLD;
      BEGIN
        IF TG_OP = 'UPDATE' AND NEW.erased_at IS NOT NULL THEN
          -- Nothing personal stays, least of all here.
          image.email := '';
          image.name := '';
          image.search_key := '';
          UPDATE user_images SET email = '', name = '', search_key = '' WHERE id = OLD.id;
        END IF;
        IF OLD.erased_at IS NULL AND (OLD.changed_epoch, OLD.changed_xid) <> (epoch, xid) THEN
          INSERT INTO user_images (id, from_epoch, from_xid, to_epoch, to_xid, ${IMAGE})
          SELECT image.id, image.changed_epoch, image.changed_xid, epoch, xid, ${IMAGE.replaceAll(/(\w+)/g, 'image.$1')};
        END IF;
        IF TG_OP = 'DELETE' THEN
          RETURN OLD;
        END IF;
        NEW.changed_epoch := epoch;
        NEW.changed_xid := xid;
        RETURN NEW;
      END $$`);
    await runner.query(`
      CREATE TRIGGER keep_image BEFORE UPDATE ON users FOR EACH ROW
      WHEN (${row('OLD')} IS DISTINCT FROM ${row('NEW')}) EXECUTE FUNCTION keep_user_image()`);
    await runner.query(`
      CREATE TRIGGER keep_image_of_deleted BEFORE DELETE ON users FOR EACH ROW EXECUTE FUNCTION keep_user_image()`);
  }
}
