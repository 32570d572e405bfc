import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Sign-in attempts that are in flight: claimed before they are judged, counted as failures only afterwards. */
export class SignInAttempts1795800020000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    // Attempts that hold a place in the allowance of this key. Changes only together with sign_in_attempts.
    await runner.query(`ALTER TABLE sign_in_failures ADD COLUMN in_flight integer NOT NULL DEFAULT 0`);
    await runner.query(`
      CREATE TABLE sign_in_attempts (
        id uuid CONSTRAINT sign_in_attempts_pkey PRIMARY KEY,
        keys bytea[] NOT NULL,
        seen_at timestamptz(3) NOT NULL
      )`);
    await runner.query(`CREATE INDEX sign_in_attempts_by_seen_at ON sign_in_attempts (seen_at)`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP TABLE sign_in_attempts`);
    await runner.query(`ALTER TABLE sign_in_failures DROP COLUMN in_flight`);
  }
}
