import { Injectable } from '@nestjs/common';
import { IsNull, Not } from 'typeorm';
import type { AppError } from '../../../common/errors/app.error.js';
import { prepared } from '../../../platform/database/driver/statements/prepared.js';
import { SqlRunner } from '../../../platform/database/sql.runner.js';
import { UnitOfWork } from '../../../platform/database/transactions/unit-of-work.js';
import type { JobCounts, ResultPage, RowResult, RowStatus } from '../job-registry.service.js';
import { JobRow } from './job-row.entity.js';

/** An item that a job has yet to process. */
export interface OpenRow {
  readonly jobId: string;
  /** The index of the row, from 0. */
  readonly index: number;
  readonly itemId: string;
}

const SETTLE = prepared(
  `UPDATE job_rows SET status = $3, error_code = $4, error_message = $5
   WHERE job_id = $1 AND index = $2 AND status IS NULL`,
);

@Injectable()
export class JobRowsRepository {
  constructor(
    private readonly unitOfWork: UnitOfWork,
    private readonly sql: SqlRunner,
  ) {}

  async insertAll(jobId: string, itemIds: readonly string[]): Promise<void> {
    await this.sql.execute(
      `INSERT INTO job_rows (job_id, index, item_id)
       SELECT $1, place - 1, item FROM unnest($2::uuid[]) WITH ORDINALITY AS given (item, place)`,
      [jobId, itemIds],
    );
  }

  findOpen(jobId: string, after: number, limit: number): Promise<OpenRow[]> {
    return this.sql.rows(
      `SELECT job_id AS "jobId", index, item_id AS "itemId" FROM job_rows
       WHERE job_id = $1 AND index > $2 AND status IS NULL ORDER BY index LIMIT $3`,
      [jobId, after, limit],
    );
  }

  /**
   * Stores the row's result.
   * @returns false when the row is no longer open; the caller must then roll back
   */
  async setResult({ jobId, index }: OpenRow, status: RowStatus, error: AppError | null): Promise<boolean> {
    const settled = await this.sql.affected(SETTLE, [
      jobId,
      index,
      status,
      error?.code ?? null,
      error?.message ?? null,
    ]);
    return settled === 1;
  }

  /** Skips the open rows. Waits for those that are being settled. */
  async skipOpen(jobId: string): Promise<void> {
    await this.jobRows.update({ jobId, status: IsNull() }, { status: 'skipped' });
  }

  async count(jobId: string): Promise<JobCounts> {
    return this.sql.one<JobCounts>(
      `SELECT count(*) FILTER (WHERE status = 'ok')::integer AS done,
              count(*) FILTER (WHERE status = 'failed')::integer AS failed,
              count(*) FILTER (WHERE status IS NULL)::integer AS open
       FROM job_rows WHERE job_id = $1`,
      [jobId],
    );
  }

  /** Returns a page of rows with a result. */
  findPage({ jobId, status, after, limit, offset }: ResultPage): Promise<RowResult[]> {
    return this.sql.rows(
      `SELECT index, item_id AS "itemId", status, error_code AS "errorCode", error_message AS "errorMessage"
       FROM job_rows
       WHERE job_id = $1 AND index > $2 AND status IS NOT NULL ${status === null ? '' : 'AND status = $5'}
       ORDER BY index LIMIT $3 OFFSET $4`,
      [jobId, after, limit, offset, ...(status === null ? [] : [status])],
    );
  }

  countSettled(jobId: string, status: RowStatus | null): Promise<number> {
    return this.jobRows.countBy({ jobId, status: status ?? Not(IsNull()) });
  }

  /** Deletes rows of jobs that ended more than `days` days ago. @returns the number deleted */
  deleteEndedBefore(days: number, limit: number): Promise<number> {
    return this.sql.affected(
      `DELETE FROM job_rows WHERE (job_id, index) IN (
         SELECT job_id, index FROM jobs JOIN job_rows ON job_id = jobs.id
         WHERE finished_at < clock_timestamp() - make_interval(days => $1) LIMIT $2)`,
      [days, limit],
    );
  }

  private get jobRows() {
    return this.unitOfWork.manager.getRepository(JobRow);
  }
}
