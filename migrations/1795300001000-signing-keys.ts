import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The keys that sign access tokens; the private half is sealed by the master key. */
export class SigningKeys1795300001000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE signing_keys (
        kid text COLLATE "C" CONSTRAINT signing_keys_pkey PRIMARY KEY,
        private_key_sealed bytea NOT NULL,
        created_at timestamptz(3) NOT NULL DEFAULT now()
      )`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP TABLE signing_keys`);
  }
}
