import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Finds the rejected lines of imports, which are few, when they are sent and when they are deleted. */
export class ImportRejectedIndex1795833200674 implements MigrationInterface {
  readonly transaction = false;

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(
      `CREATE INDEX CONCURRENTLY import_pieces_rejected ON import_pieces (job_id, first_index) WHERE rejected IS NOT NULL`,
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP INDEX import_pieces_rejected`);
  }
}
