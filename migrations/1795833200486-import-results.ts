import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Adds to the results of an import the number of each line, what was done with it, and the rejected lines, which are
 * encrypted.
 */
export class ImportResults1795833200486 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(
      `ALTER TABLE import_pieces ADD line_numbers integer[], ADD actions text[] COLLATE "C", ADD rejected bytea`,
    );
    // Encrypted data cannot be compressed.
    await runner.query(
      `ALTER TABLE import_pieces ALTER rejected SET STORAGE EXTERNAL, ALTER rejected SET STATISTICS 0`,
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE import_pieces DROP rejected, DROP actions, DROP line_numbers`);
  }
}
