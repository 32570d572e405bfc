import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Adds the settings of feature flags. The code declares the flags; one that was never changed has no row. The role
 * `admin` has all permissions, so it may manage them.
 */
export class FeatureFlags1795868914528 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE feature_flags (
        key text COLLATE "C" CONSTRAINT feature_flags_pkey PRIMARY KEY,
        stream uuid NOT NULL,
        enabled boolean NOT NULL,
        rollout_percent smallint NOT NULL,
        allow_user_ids uuid[] NOT NULL,
        version integer NOT NULL,
        updated_at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
        CONSTRAINT feature_flags_rollout_check CHECK (rollout_percent BETWEEN 0 AND 100),
        CONSTRAINT feature_flags_users_check CHECK (cardinality(allow_user_ids) <= 1000)
      )`);
    await runner.query(
      `INSERT INTO role_permissions (role, permission) VALUES ('admin', 'flags:manage') ON CONFLICT DO NOTHING`,
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP TABLE feature_flags`);
  }
}
