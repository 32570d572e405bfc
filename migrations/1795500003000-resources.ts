import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What accounts own, and can hand on. */
export class Resources1795500003000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    // An account that is deleted keeps what it owns, so nothing cascades.
    await runner.query(`
      CREATE TABLE resources (
        id uuid CONSTRAINT resources_pkey PRIMARY KEY,
        type text NOT NULL,
        name text NOT NULL,
        external_id text,
        owner_id uuid NOT NULL CONSTRAINT resources_owner_id_fkey REFERENCES users (id),
        version integer NOT NULL DEFAULT 1,
        created_at timestamptz(3) NOT NULL DEFAULT now(),
        updated_at timestamptz(3) NOT NULL DEFAULT now(),
        changed_epoch integer NOT NULL DEFAULT current_epoch(),
        changed_xid xid8 NOT NULL DEFAULT pg_current_xact_id()
      )`);
    await runner.query(`CREATE INDEX resources_by_created_at ON resources (created_at, id)`);
    await runner.query(`CREATE INDEX resources_by_owner ON resources (owner_id, created_at, id)`);
    // A transfer takes its place in the order of events when it first holds a row, not when it moves one: whoever came
    // first but moves second starts again, or the feed would tell of two transfers in the wrong order.
    await runner.query(`
      CREATE FUNCTION keep_resource_order() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
      BEGIN
        IF (OLD.changed_epoch, OLD.changed_xid) > (current_epoch(), pg_current_xact_id()) THEN
          RAISE EXCEPTION 'the previous change of % has a later position', OLD.id USING ERRCODE = 'serialization_failure';
        END IF;
        IF TG_OP = 'DELETE' THEN
          RETURN OLD;
        END IF;
        NEW.changed_epoch := current_epoch();
        NEW.changed_xid := pg_current_xact_id();
        RETURN NEW;
      END $$`);
    await runner.query(`
      CREATE TRIGGER keep_resource_order BEFORE UPDATE OR DELETE ON resources
      FOR EACH ROW EXECUTE FUNCTION keep_resource_order()`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP TABLE resources`);
    await runner.query(`DROP FUNCTION keep_resource_order`);
  }
}
