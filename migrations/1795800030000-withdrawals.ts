import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Ties what a user asked for to what it must not outlive: a mailed token to a session, a job to a sign-out. */
export class Withdrawals1795800030000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    // No foreign key: the row of a token stays after its session, for it counts as a mail that was sent.
    await runner.query(`ALTER TABLE one_time_tokens ADD COLUMN session_id uuid`);
    await runner.query(`ALTER TABLE jobs ADD COLUMN withdrawn_at timestamptz(3)`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE jobs DROP COLUMN withdrawn_at`);
    await runner.query(`ALTER TABLE one_time_tokens DROP COLUMN session_id`);
  }
}
