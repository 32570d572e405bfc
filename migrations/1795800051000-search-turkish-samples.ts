import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Keeps no samples of names in the statistics: they outlive the rows, and an erasure would have to empty them too. */
export class SearchTurkishSamples1795800051000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    for (const column of [1, 2])
      await runner.query(`ALTER INDEX users_search_turkish ALTER COLUMN ${column} SET STATISTICS 0`);
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const column of [1, 2])
      await runner.query(`ALTER INDEX users_search_turkish ALTER COLUMN ${column} SET STATISTICS -1`);
  }
}
