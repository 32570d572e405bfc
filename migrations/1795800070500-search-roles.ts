import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Finds the users who have other roles than "user" by role and by trigrams at once. With an index for each, PostgreSQL
 * reads one of them and fetches all its rows. It chose by a share of a share: the predicate of `users_roles` follows
 * from the role, but the planner takes the two to be independent. Of this predicate it has no samples, so it assumes
 * a third. `users_roles` stays for instances of the release before.
 */
export class SearchRoles1795800070500 implements MigrationInterface {
  readonly transaction = false;

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(
      `CREATE INDEX CONCURRENTLY users_search_roles ON users USING gin (roles, search_fold(search_key) gin_trgm_ops)
       WHERE cardinality(array_remove(roles, 'user')) > 0`,
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP INDEX users_search_roles`);
  }
}
