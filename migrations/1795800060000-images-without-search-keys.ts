import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The columns whose change an export must not see before its moment has passed. */
const EXPORTED = `email name roles email_verified disabled deleted_at erased_at version created_at updated_at`;

const row = (name: string, columns: string) =>
  `(${columns.replaceAll(/(\w+) ?/g, `${name}.$1, `).replace(/, $/, '')})`;
const trigger = (columns: string) => `
  CREATE OR REPLACE TRIGGER keep_image BEFORE UPDATE ON users FOR EACH ROW
  WHEN (${row('OLD', columns)} IS DISTINCT FROM ${row('NEW', columns)}) EXECUTE FUNCTION keep_user_image()`;

/**
 * Keeps no image of a user when only the search key changes. The key is derived from name and address, so an export
 * sends the same bytes before and after, and the user has not changed.
 */
export class ImagesWithoutSearchKeys1795800060000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(trigger(EXPORTED));
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(trigger(EXPORTED.replace('name ', 'name search_key ')));
  }
}
