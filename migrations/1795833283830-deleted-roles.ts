import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Adds the last versions of deleted roles, so that the versions of a role with the same name continue from there. */
export class DeletedRoles1795833283830 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE deleted_roles (
        name text COLLATE "C" CONSTRAINT deleted_roles_pkey PRIMARY KEY,
        version integer NOT NULL,
        deleted_at timestamptz(3) NOT NULL DEFAULT clock_timestamp()
      )`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP TABLE deleted_roles`);
  }
}
