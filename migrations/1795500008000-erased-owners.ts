import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What an erased account owns has no name of its giving; nor does the planner keep samples of names. */
export class ErasedOwners1795500008000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    // Nobody filters by these, and samples outlive the rows.
    await runner.query(
      `ALTER TABLE resources ALTER name SET STATISTICS 0, ALTER external_id SET STATISTICS 0`,
    );
    // The type that they have already: nothing is written anew, but what had been sampled until now is dropped.
    await runner.query(`ALTER TABLE resources ALTER name TYPE text, ALTER external_id TYPE text`);
    await runner.query(`
      UPDATE resources SET name = 'erased', external_id = NULL, version = resources.version + 1, updated_at = clock_timestamp()
      FROM users WHERE users.id = owner_id AND erased_at IS NOT NULL`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(
      `ALTER TABLE resources ALTER name SET STATISTICS -1, ALTER external_id SET STATISTICS -1`,
    );
  }
}
