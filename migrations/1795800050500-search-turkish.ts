import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Finds the rows whose search key holds an i of Turkish, by trigrams and by pairs. It holds those rows alone, so that it
 * costs nobody else anything; a row that an older instance writes during a rollout is in it as well. */
export class SearchTurkish1795800050500 implements MigrationInterface {
  readonly transaction = false;

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(
      `CREATE INDEX CONCURRENTLY users_search_turkish ON users
         USING gin (search_fold(search_key) gin_trgm_ops, search_pairs(search_fold(search_key)))
       WHERE (search_key LIKE '%ı%' OR search_key LIKE '%i\u0307%')`,
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP INDEX users_search_turkish`);
  }
}
