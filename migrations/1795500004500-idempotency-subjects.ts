import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Whose key an answer that is given again is sealed under, so that it cannot be read once they are erased. */
export class IdempotencySubjects1795500004500 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE idempotency_records ADD COLUMN subject uuid`);
  }

  async down(runner: QueryRunner): Promise<void> {
    // Answers sealed under an account's key cannot be opened by what comes back.
    await runner.query(`DELETE FROM idempotency_records WHERE subject IS NOT NULL`);
    await runner.query(`ALTER TABLE idempotency_records DROP COLUMN subject`);
  }
}
