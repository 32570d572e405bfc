import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Grants the permission to introspect tokens to the role admin, which has all permissions. */
export class TokensIntrospect1795833563244 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(
      `INSERT INTO role_permissions (role, permission) VALUES ('admin', 'tokens:introspect') ON CONFLICT DO NOTHING`,
    );
    await this.changeAdmin(runner);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DELETE FROM role_permissions WHERE permission = 'tokens:introspect'`);
    await this.changeAdmin(runner);
  }

  /** Gives the role a new version, because its ETag must change with its permissions. */
  private async changeAdmin(runner: QueryRunner): Promise<void> {
    await runner.query(
      `UPDATE roles SET version = version + 1, updated_at = clock_timestamp() WHERE name = 'admin'`,
    );
  }
}
