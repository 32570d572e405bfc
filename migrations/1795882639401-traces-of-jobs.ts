import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Adds the `traceparent` of the request that created a job, which its run continues. Null if it had no trace. */
export class TracesOfJobs1795882639401 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE jobs ADD COLUMN traceparent text COLLATE "C"`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE jobs DROP COLUMN traceparent`);
  }
}
