import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Adds the instances that live, and the permission to operate them. The role `admin` has all permissions, and gets a new
 * version because its ETag must change with them.
 */
export class Operations1795885700000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    // `seen_at` is not indexed, so that a heartbeat changes no index. There are never many rows.
    await runner.query(`
      CREATE TABLE instances (
        id uuid CONSTRAINT instances_pkey PRIMARY KEY,
        host text COLLATE "C" NOT NULL,
        version text COLLATE "C" NOT NULL,
        commit text COLLATE "C",
        started_at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
        seen_at timestamptz(3) NOT NULL DEFAULT clock_timestamp()
      ) WITH (fillfactor = 50)`);
    await runner.query(
      `INSERT INTO role_permissions (role, permission) VALUES ('admin', 'operations:manage') ON CONFLICT DO NOTHING`,
    );
    await this.changeAdmin(runner);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DELETE FROM role_permissions WHERE permission = 'operations:manage'`);
    await this.changeAdmin(runner);
    await runner.query(`DROP TABLE instances`);
  }

  private async changeAdmin(runner: QueryRunner): Promise<void> {
    await runner.query(
      `UPDATE roles SET version = version + 1, updated_at = clock_timestamp() WHERE name = 'admin'`,
    );
  }
}
