import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Adds the `traceparent` of the request that caused an event, which its deliveries continue. Null if it had no trace. */
export class TracesOfEvents1795882638602 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE events ADD COLUMN traceparent text COLLATE "C"`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE events DROP COLUMN traceparent`);
  }
}
