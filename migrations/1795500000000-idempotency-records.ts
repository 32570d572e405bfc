import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Answers that are given again to whoever repeats a request with its Idempotency-Key. */
export class IdempotencyRecords1795500000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    // Digests under a key, and a sealed answer: a request may hold a password, an answer a secret.
    await runner.query(`
      CREATE TABLE idempotency_records (
        scope bytea CONSTRAINT idempotency_records_pkey PRIMARY KEY,
        request bytea NOT NULL,
        answer bytea NOT NULL,
        created_at timestamptz(3) NOT NULL
      )`);
    await runner.query(`CREATE INDEX idempotency_records_by_created_at ON idempotency_records (created_at)`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP TABLE idempotency_records`);
  }
}
