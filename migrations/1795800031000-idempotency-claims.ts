import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Keys of requests whose body takes long to come: each is claimed before the upload, by the instance that reads it. */
export class IdempotencyClaims1795800031000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    // A digest under a key, like the scope of a record. Once `held_until` is past the claim is anybody's.
    await runner.query(`
      CREATE TABLE idempotency_claims (
        scope bytea CONSTRAINT idempotency_claims_pkey PRIMARY KEY,
        holder uuid NOT NULL,
        held_until timestamptz(3) NOT NULL
      )`);
    await runner.query(`CREATE INDEX idempotency_claims_by_held_until ON idempotency_claims (held_until)`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP TABLE idempotency_claims`);
  }
}
