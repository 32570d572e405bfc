import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Adds an index that finds the events of a range of time. It takes a few kilobytes and next to no time of an insert. */
export class EventsByTime1795869300500 implements MigrationInterface {
  readonly transaction = false;

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`CREATE INDEX CONCURRENTLY events_by_time ON events USING brin (occurred_at)`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP INDEX events_by_time`);
  }
}
