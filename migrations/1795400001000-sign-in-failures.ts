import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Failed sign-ins, counted by account, by client address, and in all. */
export class SignInFailures1795400001000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    // Keys are digests: a table of addresses that somebody tried would be one of personal data.
    await runner.query(`
      CREATE TABLE sign_in_failures (
        key bytea CONSTRAINT sign_in_failures_pkey PRIMARY KEY,
        failures integer NOT NULL,
        last_at timestamptz(3) NOT NULL,
        blocked_until timestamptz(3)
      )`);
    await runner.query(`CREATE INDEX sign_in_failures_by_last_at ON sign_in_failures (last_at)`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP TABLE sign_in_failures`);
  }
}
