import { Injectable } from '@nestjs/common';
import { IsNull } from 'typeorm';
import { prepared } from '../../platform/database/driver/statements/prepared.js';
import { SqlRunner } from '../../platform/database/sql.runner.js';
import { UnitOfWork } from '../../platform/database/transactions/unit-of-work.js';
import type { JobCounts, ResultPage, RowResult, RowStatus } from '../jobs/job-registry.service.js';
import { ImportChunk } from './import-chunk.entity.js';

/** The time in hours after the end of a job during which its rejected rows are kept. */
const REJECTED_RETENTION_HOURS = 24;

/** A chunk of a job's lines that are imported together. */
export interface ImportChunkKey {
  readonly jobId: string;
  /** The index of its first line, from 0. */
  readonly firstIndex: number;
}

/** The result of each line in the chunk: an action, or an error. */
export interface ChunkResults {
  readonly itemIds: readonly (string | null)[];
  readonly lineNumbers: readonly number[];
  readonly actions: readonly (string | null)[];
  readonly errorCodes: readonly (string | null)[];
  readonly errorMessages: readonly (string | null)[];
  /** The encrypted rows that led to no user; null when every row did. */
  readonly rejected: Buffer | null;
}

/** The result of a line, with the index of the first line of its chunk. */
export interface LineResult extends RowResult {
  readonly firstIndex: number;
}

/** The encrypted rows of a chunk that led to no user. */
export interface RejectedChunk {
  readonly firstIndex: number;
  readonly rejected: Buffer;
}

const STAGE = prepared(
  `INSERT INTO import_pieces (job_id, first_index, lines, sealed) VALUES ($1, $2, $3, $4)`,
);
const FIND_LINES = prepared(
  'SELECT sealed AS "encryptedLines" FROM import_pieces WHERE job_id = $1 AND first_index = $2',
);
const LOCK_OPEN = prepared(
  'SELECT 1 AS open FROM import_pieces WHERE job_id = $1 AND first_index = $2 AND status IS NULL FOR UPDATE',
);
const SETTLE = prepared(
  `UPDATE import_pieces SET status = 'settled', sealed = NULL, done = $3, failed = $4, item_ids = $5,
          error_codes = $6, error_messages = $7, line_numbers = $8, actions = $9, rejected = $10
   WHERE job_id = $1 AND first_index = $2`,
);
const COUNTS_BY: Readonly<Record<RowStatus, string>> = {
  ok: 'done',
  failed: 'failed',
  skipped: 'CASE WHEN status IS NULL THEN 0 ELSE lines - done - failed END',
};
/** Selects rejected rows that are still kept, with the job and a condition on the chunk to follow. */
const KEPT_REJECTED = `SELECT first_index AS "firstIndex", rejected FROM import_pieces
  JOIN jobs ON jobs.id = job_id
  WHERE rejected IS NOT NULL
    AND coalesce(finished_at > clock_timestamp() - interval '${REJECTED_RETENTION_HOURS} hours', true)`;

@Injectable()
export class ImportChunksRepository {
  constructor(
    private readonly unitOfWork: UnitOfWork,
    private readonly sql: SqlRunner,
  ) {}

  async insert({ jobId, firstIndex }: ImportChunkKey, lines: number, encrypted: Buffer): Promise<void> {
    await this.sql.execute(STAGE, [jobId, firstIndex, lines, encrypted]);
  }

  async countLines(jobId: string): Promise<number> {
    const sql = 'SELECT coalesce(sum(lines), 0)::integer AS lines FROM import_pieces WHERE job_id = $1';
    const row = await this.sql.one<{ lines: number }>(sql, [jobId]);
    return row.lines;
  }

  findOpen(jobId: string, after: number, limit: number): Promise<ImportChunkKey[]> {
    return this.sql.rows(
      `SELECT job_id AS "jobId", first_index AS "firstIndex" FROM import_pieces
       WHERE job_id = $1 AND first_index > $2 AND status IS NULL ORDER BY first_index LIMIT $3`,
      [jobId, after, limit],
    );
  }

  /** Returns the encrypted lines, or null once the chunk is settled. */
  async findEncryptedLines({ jobId, firstIndex }: ImportChunkKey): Promise<Buffer | null> {
    const chunk = await this.sql.maybeOne<Pick<ImportChunk, 'encryptedLines'>>(FIND_LINES, [
      jobId,
      firstIndex,
    ]);
    return chunk?.encryptedLines ?? null;
  }

  /** Locks an open chunk until the unit of work ends. @returns false when it has been settled or skipped */
  async lockOpen({ jobId, firstIndex }: ImportChunkKey): Promise<boolean> {
    return (await this.sql.maybeOne<object>(LOCK_OPEN, [jobId, firstIndex])) !== null;
  }

  /**
   * Stores the results of a locked chunk and deletes its encrypted lines, together with the next statement of
   * the unit of work or its COMMIT.
   */
  async settle({ jobId, firstIndex }: ImportChunkKey, results: ChunkResults): Promise<void> {
    const { itemIds, lineNumbers, actions, errorCodes, errorMessages, rejected } = results;
    const failed = errorCodes.filter((code) => code !== null).length;
    const done = actions.filter((action) => action !== null && action !== 'skipped').length;
    const errors = failed > 0 ? [errorCodes, errorMessages] : [null, null];
    // A line without an error and without an action was created.
    const stored = actions.some((action) => action !== null && action !== 'created') ? actions : null;
    const values = [done, failed, itemIds, ...errors, lineNumbers, stored, rejected];
    await this.sql.defer(SETTLE, [jobId, firstIndex, ...values]);
  }

  /** Skips the open chunks. Waits for those that are being settled. */
  async skipOpen(jobId: string): Promise<void> {
    await this.chunks.update({ jobId, status: IsNull() }, { status: 'skipped', encryptedLines: null });
  }

  async count(jobId: string): Promise<JobCounts> {
    return this.sql.one<JobCounts>(
      `SELECT coalesce(sum(done), 0)::integer AS done, coalesce(sum(failed), 0)::integer AS failed,
              coalesce(sum(lines) FILTER (WHERE status IS NULL), 0)::integer AS open
       FROM import_pieces WHERE job_id = $1`,
      [jobId],
    );
  }

  /**
   * Returns a page of results. Every chunk read contributes at least one line to it, so `limit + offset + 1`
   * chunks are enough.
   */
  findResults({
    jobId,
    status,
    after,
    limit,
    offset,
  }: Omit<ResultPage, 'caller' | 'dryRun'>): Promise<LineResult[]> {
    const has = status === null ? 'lines' : COUNTS_BY[status];
    return this.sql.rows(
      `SELECT index, item_id AS "itemId", became AS status, error_code AS "errorCode", error_message AS "errorMessage",
              line_number AS line, first_index AS "firstIndex",
              CASE became WHEN 'ok' THEN coalesce(action, 'created') WHEN 'skipped' THEN action END AS action
       FROM (SELECT * FROM import_pieces
             WHERE job_id = $1 AND first_index + lines - 1 > $2 AND status IS NOT NULL AND ${has} > 0
             ORDER BY first_index LIMIT $3::integer + $4::integer + 1) AS piece
       CROSS JOIN LATERAL (
         SELECT first_index + place - 1 AS index, item_ids[place] AS item_id, error_codes[place] AS error_code,
                error_messages[place] AS error_message, line_numbers[place] AS line_number, actions[place] AS action,
                CASE WHEN status = 'skipped' THEN 'skipped' WHEN error_codes[place] IS NOT NULL THEN 'failed'
                     WHEN actions[place] = 'skipped' THEN 'skipped' ELSE 'ok' END AS became
         FROM generate_series(1, lines) AS place) AS line
       WHERE index > $2 AND ($5::text IS NULL OR became = $5) ORDER BY first_index, index LIMIT $3 OFFSET $4`,
      [jobId, after, limit, offset, status],
    );
  }

  async countResults(jobId: string, status: RowStatus | null): Promise<number> {
    const lines = status === null ? 'CASE WHEN status IS NULL THEN 0 ELSE lines END' : COUNTS_BY[status];
    const row = await this.sql.one<{ lines: number }>(
      `SELECT coalesce(sum(${lines}), 0)::integer AS lines FROM import_pieces WHERE job_id = $1`,
      [jobId],
    );
    return row.lines;
  }

  /** Returns the rejected rows of these chunks, as far as they are still kept. */
  findRejected(jobId: string, firstIndexes: readonly number[]): Promise<RejectedChunk[]> {
    return this.sql.rows(`${KEPT_REJECTED} AND job_id = $1 AND first_index = ANY ($2::integer[])`, [
      jobId,
      firstIndexes,
    ]);
  }

  /** Returns the next chunks with rejected rows in order, as far as they are still kept. */
  findRejectedAfter(jobId: string, after: number, limit: number): Promise<RejectedChunk[]> {
    return this.sql.rows(
      `${KEPT_REJECTED} AND job_id = $1 AND first_index > $2 ORDER BY first_index LIMIT $3`,
      [jobId, after, limit],
    );
  }

  /** Deletes rejected rows that are no longer kept. @returns the number of chunks */
  async deleteRejected(limit: number): Promise<number> {
    return this.sql.affected(
      `UPDATE import_pieces SET rejected = NULL WHERE (job_id, first_index) IN (
         SELECT job_id, first_index FROM import_pieces JOIN jobs ON jobs.id = job_id
         WHERE rejected IS NOT NULL AND finished_at < clock_timestamp() - make_interval(hours => $1)
         LIMIT $2 FOR UPDATE OF import_pieces SKIP LOCKED)`,
      [REJECTED_RETENTION_HOURS, limit],
    );
  }

  /** Deletes every chunk of an upload that failed. */
  async delete(jobId: string): Promise<void> {
    await this.chunks.delete({ jobId });
  }

  /** Skips open chunks staged longer ago than `hours`. @returns the number of chunks */
  async skipStagedBefore(hours: number, limit: number): Promise<number> {
    return this.sql.affected(
      `UPDATE import_pieces SET status = 'skipped', sealed = NULL WHERE (job_id, first_index) IN (
         SELECT job_id, first_index FROM import_pieces
         WHERE staged_at < clock_timestamp() - make_interval(hours => $1) AND status IS NULL
         LIMIT $2 FOR UPDATE SKIP LOCKED)`,
      [hours, limit],
    );
  }

  /** Deletes old chunks of failed uploads and of deleted jobs. @returns the number of chunks */
  async deleteWithoutJob(hours: number, limit: number): Promise<number> {
    return this.sql.affected(
      `DELETE FROM import_pieces WHERE (job_id, first_index) IN (
         SELECT job_id, first_index FROM import_pieces AS piece
         WHERE staged_at < clock_timestamp() - make_interval(hours => $1)
           AND NOT EXISTS (SELECT 1 FROM jobs WHERE id = piece.job_id) LIMIT $2)`,
      [hours, limit],
    );
  }

  private get chunks() {
    return this.unitOfWork.manager.getRepository(ImportChunk);
  }
}
