import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Makes of a stored search key the form in which the i of Turkish, dotted or not, is one (see foldSearch). */
export class SearchFold1795800050000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(
      `CREATE FUNCTION search_fold(searched text) RETURNS text
       LANGUAGE sql IMMUTABLE PARALLEL SAFE
       RETURN replace(replace(searched, 'ı', 'i'), U&'i\\0307', 'i')`,
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP FUNCTION search_fold`);
  }
}
