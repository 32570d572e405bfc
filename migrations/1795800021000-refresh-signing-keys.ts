import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * The keys that sign refresh tokens. A table of their own: an instance of an earlier release publishes every
 * key in signing_keys, and signs access tokens with the newest.
 */
export class RefreshSigningKeys1795800021000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE refresh_signing_keys (
        kid text COLLATE "C" CONSTRAINT refresh_signing_keys_pkey PRIMARY KEY,
        private_key_sealed bytea NOT NULL,
        created_at timestamptz(3) NOT NULL,
        signs_from timestamptz(3),
        verifies_until timestamptz(3)
      )`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP TABLE refresh_signing_keys`);
  }
}
