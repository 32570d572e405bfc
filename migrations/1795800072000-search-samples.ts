import type { MigrationInterface, QueryRunner } from 'typeorm';

const COLUMNS = [
  ['users_search_inactive', 1],
  ['users_search_roles', 2],
  ['users_search_turkish_i', 1],
  ['users_search_turkish_i', 2],
] as const;

/** Keeps no samples of names in the statistics of the new indexes, as for `users_search_turkish`. */
export class SearchSamples1795800072000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    for (const [index, column] of COLUMNS)
      await runner.query(`ALTER INDEX ${index} ALTER COLUMN ${column} SET STATISTICS 0`);
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const [index, column] of COLUMNS)
      await runner.query(`ALTER INDEX ${index} ALTER COLUMN ${column} SET STATISTICS -1`);
  }
}
