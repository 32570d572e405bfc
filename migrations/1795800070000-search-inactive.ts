import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Finds the few users who are not active by trigrams. A search among them otherwise reads the matches among all users
 * and fetches each of them. The folded key spares a second condition for keys that wait for completion. Other users have no entry in the index, so their writes cost what they did.
 */
export class SearchInactive1795800070000 implements MigrationInterface {
  readonly transaction = false;

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(
      `CREATE INDEX CONCURRENTLY users_search_inactive ON users USING gin (search_fold(search_key) gin_trgm_ops)
       WHERE status <> 'active'`,
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP INDEX users_search_inactive`);
  }
}
