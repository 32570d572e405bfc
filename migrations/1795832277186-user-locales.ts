import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The columns whose former values an export may need. */
const IMAGE = `email, name, search_key, status, roles, email_verified, version, created_at, updated_at`;
/** The columns whose change an export must not see before its moment has passed. */
const EXPORTED = `email, name, roles, email_verified, disabled, deleted_at, erased_at, version, created_at, updated_at`;

const of = (name: string, columns: string) => columns.replaceAll(/(\w+)/g, `${name}.$1`);

/** Keeps `columns` in each image, and blanks the personal ones among them when the user is erased. */
const keepImage = (columns: string, blank: string) => `
  CREATE OR REPLACE FUNCTION keep_user_image() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
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
      ${blank === '' ? '' : `image.${blank.replace('=', ':=')};`}
      UPDATE user_images SET email = '', name = '', search_key = ''${blank === '' ? '' : `, ${blank}`} WHERE id = OLD.id;
    END IF;
    IF OLD.erased_at IS NULL AND (OLD.changed_epoch, OLD.changed_xid) <> (epoch, xid) THEN
      INSERT INTO user_images (id, from_epoch, from_xid, to_epoch, to_xid, ${columns})
      SELECT image.id, image.changed_epoch, image.changed_xid, epoch, xid, ${of('image', columns)};
    END IF;
    IF TG_OP = 'DELETE' THEN
      RETURN OLD;
    END IF;
    NEW.changed_epoch := epoch;
    NEW.changed_xid := xid;
    RETURN NEW;
  END $$`;

const trigger = (columns: string) => `
  CREATE OR REPLACE TRIGGER keep_image BEFORE UPDATE ON users FOR EACH ROW
  WHEN ((${of('OLD', columns)}) IS DISTINCT FROM (${of('NEW', columns)})) EXECUTE FUNCTION keep_user_image()`;

/** Adds the language in which the service writes to a user, also to the former states that exports read. */
export class UserLocales1795832277186 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE users ADD COLUMN locale text COLLATE "C" NOT NULL DEFAULT 'en'`);
    await runner.query(`ALTER TABLE user_images ADD COLUMN locale text COLLATE "C" NOT NULL DEFAULT 'en'`);
    await runner.query(keepImage(`${IMAGE}, locale`, `locale = 'en'`));
    await runner.query(trigger(`${EXPORTED}, locale`));
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(trigger(EXPORTED));
    await runner.query(keepImage(IMAGE, ''));
    await runner.query(`ALTER TABLE user_images DROP COLUMN locale`);
    await runner.query(`ALTER TABLE users DROP COLUMN locale`);
  }
}
