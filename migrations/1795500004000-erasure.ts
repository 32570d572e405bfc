import type { MigrationInterface, QueryRunner } from 'typeorm';

/** An erased account leaves a row without anything personal, and what the planner had sampled of it is forgotten. */
export class Erasure1795500004000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE users ADD COLUMN erased_at timestamptz(3)`);
    // Nobody filters by these: there is nothing to sample them for, and samples outlive the rows. In a table that
    // became empty even ANALYZE leaves them as they are.
    await runner.query(`
      ALTER TABLE users
        ALTER email SET STATISTICS 0, ALTER name SET STATISTICS 0, ALTER password_hash SET STATISTICS 0,
        ALTER last_login_at SET STATISTICS 0`);
    await runner.query(`ALTER TABLE sessions ALTER device SET STATISTICS 0, ALTER ip SET STATISTICS 0`);
    await runner.query(`ALTER TABLE one_time_tokens ALTER email SET STATISTICS 0`);
    await runner.query(`ALTER TABLE account_keys ALTER wrapped SET STATISTICS 0`);
    // The type that they have already: nothing is written anew, but what had been sampled until now is dropped.
    await runner.query(`
      ALTER TABLE users
        ALTER email TYPE text, ALTER name TYPE text, ALTER password_hash TYPE text,
        ALTER last_login_at TYPE timestamptz(3)`);
    await runner.query(`ALTER TABLE sessions ALTER device TYPE text, ALTER ip TYPE text`);
    await runner.query(`ALTER TABLE one_time_tokens ALTER email TYPE text`);
    await runner.query(`ALTER TABLE account_keys ALTER wrapped TYPE bytea`);
    // By these it is sorted and searched. The row of an erased account is among those that are sampled, so the table
    // is never empty.
    await runner.query(`
      CREATE FUNCTION sample_accounts_anew() RETURNS void
      LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
      BEGIN
        ANALYZE users (email_key, name_key, search_key);
      END $$`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP FUNCTION sample_accounts_anew`);
    await runner.query(`ALTER TABLE account_keys ALTER wrapped SET STATISTICS -1`);
    await runner.query(`ALTER TABLE one_time_tokens ALTER email SET STATISTICS -1`);
    await runner.query(`ALTER TABLE sessions ALTER device SET STATISTICS -1, ALTER ip SET STATISTICS -1`);
    await runner.query(`
      ALTER TABLE users
        ALTER email SET STATISTICS -1, ALTER name SET STATISTICS -1, ALTER password_hash SET STATISTICS -1,
        ALTER last_login_at SET STATISTICS -1`);
    await runner.query(`ALTER TABLE users DROP COLUMN erased_at`);
  }
}
