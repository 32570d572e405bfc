import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Tokens that are mailed and used once: to verify or change an address, to reset a password. */
export class OneTimeTokens1795400002000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE one_time_tokens (
        hash bytea CONSTRAINT one_time_tokens_pkey PRIMARY KEY,
        purpose text COLLATE "C" NOT NULL,
        user_id uuid NOT NULL CONSTRAINT one_time_tokens_user_id_fkey REFERENCES users (id) ON DELETE CASCADE,
        email text NOT NULL,
        created_at timestamptz(3) NOT NULL,
        expires_at timestamptz(3) NOT NULL
      )`);
    await runner.query(
      `CREATE INDEX one_time_tokens_by_user ON one_time_tokens (user_id, purpose, created_at)`,
    );
    await runner.query(`CREATE INDEX one_time_tokens_by_expiry ON one_time_tokens (expires_at)`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP TABLE one_time_tokens`);
  }
}
