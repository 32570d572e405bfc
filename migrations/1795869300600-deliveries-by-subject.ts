import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Adds an index that finds the webhook deliveries of the events of one user, in the order in which they were made. */
export class DeliveriesBySubject1795869300600 implements MigrationInterface {
  readonly transaction = false;

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(
      `CREATE INDEX CONCURRENTLY webhook_deliveries_by_subject ON webhook_deliveries (subject, id)`,
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP INDEX webhook_deliveries_by_subject`);
  }
}
