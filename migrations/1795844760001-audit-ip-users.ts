import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Adds the way from an IP address to the digests of it in audit entries: one row for each month in which a user used the
 * address. The rows of a month are inserted one after another, so a small index finds those to delete with the month.
 */
export class AuditIpUsers1795844760001 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE audit_ip_users (
        ip bytea NOT NULL,
        month date NOT NULL,
        user_id uuid NOT NULL,
        digest bytea NOT NULL,
        CONSTRAINT audit_ip_users_pkey PRIMARY KEY (ip, month, user_id)
      )`);
    await runner.query(`CREATE INDEX audit_ip_users_by_user ON audit_ip_users (user_id)`);
    await runner.query(`CREATE INDEX audit_ip_users_by_month ON audit_ip_users USING brin (month)`);
    await runner.query(
      `COMMENT ON TABLE audit_ip_users IS 'digests of the IP addresses that users used; erasure and retention delete them'`,
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP TABLE audit_ip_users`);
  }
}
