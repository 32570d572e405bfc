import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Is `users_search_turkish` with another predicate for the same rows. The planner compares every LIKE of a predicate
 * with all samples of the column, a thousand each, which took longer than many a search. It has no samples of positions,
 * and takes an equality to hold for few rows. The older index stays for instances of the release before.
 */
export class SearchTurkishByPosition1795800071500 implements MigrationInterface {
  readonly transaction = false;

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(
      `CREATE INDEX CONCURRENTLY users_search_turkish_i ON users
         USING gin (search_fold(search_key) gin_trgm_ops, search_pairs(search_fold(search_key)))
       WHERE least(1, strpos(search_key, 'ı') + strpos(search_key, 'i\u0307')) = 1`,
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP INDEX users_search_turkish_i`);
  }
}
