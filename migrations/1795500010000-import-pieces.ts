import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What an import is to make of accounts, some hundreds of lines a row, and what became of them. */
export class ImportPieces1795500010000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    // Staged before there is a job: that begins when all of the body is here. `sealed` holds personal data and is
    // emptied with the result. In the arrays a place a line: a line without an id has failed, by the error there.
    await runner.query(`
      CREATE TABLE import_pieces (
        job_id uuid NOT NULL,
        first_index integer NOT NULL,
        lines integer NOT NULL,
        sealed bytea,
        status text COLLATE "C"
          CONSTRAINT import_pieces_status_check CHECK (status IN ('settled', 'skipped')),
        done integer NOT NULL DEFAULT 0,
        failed integer NOT NULL DEFAULT 0,
        item_ids uuid[],
        error_codes text[] COLLATE "C",
        error_messages text[],
        staged_at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
        CONSTRAINT import_pieces_pkey PRIMARY KEY (job_id, first_index),
        CONSTRAINT import_pieces_sealed_check CHECK ((sealed IS NULL) = (status IS NOT NULL))
      )`);
    await runner.query(`CREATE INDEX import_pieces_by_age ON import_pieces (staged_at)`);
    // Sealed already, it cannot be made smaller.
    await runner.query(
      `ALTER TABLE import_pieces ALTER sealed SET STORAGE EXTERNAL, ALTER sealed SET STATISTICS 0`,
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP TABLE import_pieces`);
  }
}
