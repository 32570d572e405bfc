import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Work on many things that somebody asked for, and what became of each. Ids only: nothing personal. */
export class Jobs1795500007000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    // The counts of a job that has ended are those of its rows; until then they lag behind. `holder` is the instance
    // that does it, or did when it was killed: another one takes it over once `held_until` is past.
    await runner.query(`
      CREATE TABLE jobs (
        id uuid CONSTRAINT jobs_pkey PRIMARY KEY,
        type text COLLATE "C" NOT NULL,
        status text COLLATE "C" NOT NULL DEFAULT 'queued'
          CONSTRAINT jobs_status_check CHECK (status IN ('queued', 'running', 'succeeded', 'failed', 'cancelled')),
        total integer,
        done integer NOT NULL DEFAULT 0,
        failed integer NOT NULL DEFAULT 0,
        owner_id uuid NOT NULL,
        session_id uuid NOT NULL,
        dry_run boolean NOT NULL DEFAULT false,
        parameters jsonb NOT NULL DEFAULT '{}',
        created_at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
        started_at timestamptz(3),
        finished_at timestamptz(3),
        holder uuid,
        held_until timestamptz(3),
        breakdowns integer NOT NULL DEFAULT 0
      )`);
    await runner.query(`CREATE INDEX jobs_by_created_at ON jobs (created_at, id)`);
    await runner.query(`CREATE INDEX jobs_by_owner ON jobs (owner_id, created_at, id)`);
    await runner.query(`CREATE INDEX jobs_open ON jobs (created_at) WHERE status IN ('queued', 'running')`);
    await runner.query(
      `CREATE INDEX jobs_by_finished_at ON jobs (finished_at) WHERE finished_at IS NOT NULL`,
    );
    // Each row is changed once: the room for that is on its page.
    await runner.query(`
      CREATE TABLE job_rows (
        job_id uuid NOT NULL CONSTRAINT job_rows_job_id_fkey REFERENCES jobs (id),
        index integer NOT NULL,
        item_id uuid,
        status text COLLATE "C"
          CONSTRAINT job_rows_status_check CHECK (status IN ('ok', 'failed', 'skipped')),
        error_code text COLLATE "C",
        error_message text,
        CONSTRAINT job_rows_pkey PRIMARY KEY (job_id, index)
      ) WITH (fillfactor = 70)`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP TABLE job_rows`);
    await runner.query(`DROP TABLE jobs`);
  }
}
