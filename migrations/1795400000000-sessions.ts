import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Sessions, their refresh tokens, and the life of a signing key. */
export class Sessions1795400000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE sessions (
        id uuid CONSTRAINT sessions_pkey PRIMARY KEY,
        user_id uuid NOT NULL CONSTRAINT sessions_user_id_fkey REFERENCES users (id) ON DELETE CASCADE,
        device text NOT NULL,
        ip text NOT NULL,
        created_at timestamptz(3) NOT NULL,
        last_seen_at timestamptz(3) NOT NULL,
        expires_at timestamptz(3) NOT NULL,
        ends_at timestamptz(3) NOT NULL
      )`);
    await runner.query(`CREATE INDEX sessions_by_user ON sessions (user_id, created_at, id)`);
    await runner.query(`CREATE INDEX sessions_by_expiry ON sessions (expires_at)`);
    // A spent token stays until it would have expired: presented again, it is a theft.
    await runner.query(`
      CREATE TABLE refresh_tokens (
        jti uuid CONSTRAINT refresh_tokens_pkey PRIMARY KEY,
        session_id uuid NOT NULL CONSTRAINT refresh_tokens_session_id_fkey REFERENCES sessions (id) ON DELETE CASCADE,
        issued_at timestamptz(0) NOT NULL,
        expires_at timestamptz(0) NOT NULL,
        spent_at timestamptz(3),
        successor uuid
      )`);
    await runner.query(`CREATE INDEX refresh_tokens_by_session ON refresh_tokens (session_id, expires_at)`);
    await runner.query(`ALTER TABLE signing_keys ADD COLUMN signs_from timestamptz(3)`);
    await runner.query(`ALTER TABLE signing_keys ADD COLUMN verifies_until timestamptz(3)`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE signing_keys DROP COLUMN verifies_until, DROP COLUMN signs_from`);
    await runner.query(`DROP TABLE refresh_tokens`);
    await runner.query(`DROP TABLE sessions`);
  }
}
