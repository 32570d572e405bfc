import { Injectable } from '@nestjs/common';
import { IsNull, Not } from 'typeorm';
import { traceContext } from '../../../common/context/trace-context.js';
import type { PageKey } from '../../../common/pagination/cursor.js';
import { estimateRows } from '../../../platform/database/estimate-rows.js';
import { insertReturning, returnedEntity } from '../../../platform/database/returned-entity.js';
import { SqlRunner } from '../../../platform/database/sql.runner.js';
import { UnitOfWork } from '../../../platform/database/transactions/unit-of-work.js';
import type { Job, JobCounts, JobStatus } from '../job-registry.service.js';
import { StoredJob } from './stored-job.entity.js';

const COLUMNS = `id, type, status, total, done, failed, owner_id AS "ownerId", session_id AS "sessionId",
                 dry_run AS "dryRun", parameters, traceparent, created_at AS "createdAt", started_at AS "startedAt",
                 finished_at AS "finishedAt"`;
const IS_OPEN = `status IN ('queued', 'running')`;
/** The number of open jobs that one statement counts. */
const MAX_COUNTED = 10_000;

export type NewJob = Pick<Job, 'id' | 'type' | 'total' | 'ownerId' | 'sessionId' | 'dryRun' | 'parameters'>;

export interface Withdrawal {
  readonly ownerId: string;
  readonly sessionId?: string | undefined;
  readonly exceptSessionId?: string | null | undefined;
  readonly exceptJobId: string | null;
}

/** The open jobs of all instances. */
export interface JobsState {
  readonly queued: number;
  readonly running: number;
  /** The seconds for which the oldest queued job has waited; 0 when none is queued. */
  readonly oldestSeconds: number;
}

export interface JobPage {
  /** The owner whose jobs to list, or null for all users. */
  readonly ownerId: string | null;
  readonly limit: number;
  readonly offset: number;
  readonly after: PageKey | null;
}

@Injectable()
export class JobsRepository {
  constructor(
    private readonly unitOfWork: UnitOfWork,
    private readonly sql: SqlRunner,
  ) {}

  /** Inserts a job that continues the trace of the caller. */
  insert(job: NewJob): Promise<Job> {
    return insertReturning(this.jobs, { ...job, traceparent: traceContext.toStore() });
  }

  /**
   * Counts the owner's unfinished jobs. Takes a lock that blocks concurrent counts for this owner until the
   * unit of work ends.
   */
  async countOpenOf(ownerId: string): Promise<number> {
    await this.sql.execute(`SELECT pg_advisory_xact_lock(hashtextextended('jobs of ' || $1, 0))`, [ownerId]);
    const row = await this.sql.one<{ jobs: number }>(
      `SELECT count(*)::integer AS jobs FROM jobs WHERE owner_id = $1 AND ${IS_OPEN}`,
      [ownerId],
    );
    return row.jobs;
  }

  findById(id: string): Promise<Job | null> {
    return this.jobs.findOneBy({ id });
  }

  /** Locks the row until the unit of work ends. */
  findByIdForUpdate(id: string): Promise<Job | null> {
    return this.jobs.findOne({ where: { id }, lock: { mode: 'pessimistic_write' } });
  }

  /** Returns a page of jobs, newest first. */
  findPage({ ownerId, limit, offset, after }: JobPage): Promise<Job[]> {
    const query = this.jobs.createQueryBuilder('job');
    if (ownerId !== null) query.where({ ownerId });
    if (after) query.andWhere('(job.createdAt, job.id) < (:key, :id)', after);
    return query
      .orderBy('job.createdAt', 'DESC')
      .addOrderBy('job.id', 'DESC')
      .limit(limit)
      .offset(offset)
      .getMany();
  }

  count(ownerId: string | null): Promise<number> {
    return this.jobs.countBy(ownerId === null ? {} : { ownerId });
  }

  estimate(ownerId: string | null): Promise<number> {
    const { condition, values } = ownedBy(ownerId);
    return estimateRows(this.sql, `SELECT 1 FROM jobs WHERE ${condition}`, values);
  }

  readState(): Promise<JobsState> {
    return this.sql.one<JobsState>(
      `SELECT count(*) FILTER (WHERE status = 'queued')::integer AS queued,
              count(*) FILTER (WHERE status = 'running')::integer AS running,
              coalesce(extract(epoch FROM clock_timestamp() - min(created_at) FILTER (WHERE status = 'queued')), 0)::float8
                AS "oldestSeconds"
       FROM (SELECT status, created_at FROM jobs WHERE ${IS_OPEN} ORDER BY created_at LIMIT ${MAX_COUNTED}) AS open`,
    );
  }

  /**
   * Claims the oldest open job of these types that has no lease holder. `holder` holds the lease for
   * `seconds`.
   */
  claim(holder: string, types: readonly string[], seconds: number): Promise<Job | null> {
    return this.sql.maybeOne<Job>(
      `UPDATE jobs SET status = 'running', started_at = coalesce(started_at, clock_timestamp()), holder = $1,
              held_until = clock_timestamp() + make_interval(secs => $3::integer)
       WHERE id = (SELECT id FROM jobs
                   WHERE ${IS_OPEN} AND type = ANY ($2) AND (held_until IS NULL OR held_until < clock_timestamp())
                   ORDER BY created_at LIMIT 1 FOR UPDATE SKIP LOCKED)
       RETURNING ${COLUMNS}`,
      [holder, types, seconds],
    );
  }

  /** Renews the lease. @returns false when another instance holds it or the job has ended */
  async renewLease(
    id: string,
    holder: string,
    seconds: number,
    { done, failed }: JobCounts,
  ): Promise<boolean> {
    const held = await this.sql.affected(
      `UPDATE jobs SET held_until = clock_timestamp() + make_interval(secs => $3::integer), done = $4, failed = $5
       WHERE id = $1 AND holder = $2 AND ${IS_OPEN}`,
      [id, holder, seconds, done, failed],
    );
    return held === 1;
  }

  /** Releases the lease. Any instance may claim the job after `seconds`. */
  async releaseLease(id: string, holder: string, seconds: number): Promise<void> {
    await this.sql.execute(
      `UPDATE jobs SET holder = NULL, held_until = clock_timestamp() + make_interval(secs => $3::integer)
       WHERE id = $1 AND holder = $2`,
      [id, holder, seconds],
    );
  }

  /**
   * Withdraws the owner's open jobs requested in `sessionId`, or in any session but `exceptSessionId`.
   * `exceptJobId` keeps one job running.
   */
  async withdraw({ ownerId, sessionId, exceptSessionId, exceptJobId }: Withdrawal): Promise<void> {
    await this.sql.execute(
      `UPDATE jobs SET withdrawn_at = clock_timestamp()
       WHERE owner_id = $1 AND ${IS_OPEN} AND withdrawn_at IS NULL AND id IS DISTINCT FROM $4::uuid
         AND ($2::uuid IS NULL OR session_id = $2) AND session_id IS DISTINCT FROM $3::uuid`,
      [ownerId, sessionId ?? null, exceptSessionId ?? null, exceptJobId],
    );
  }

  isWithdrawn(id: string): Promise<boolean> {
    return this.jobs.existsBy({ id, withdrawnAt: Not(IsNull()) });
  }

  /** Counts an unexpected error of a claimed job. @returns the number so far */
  async countBreakdown(id: string): Promise<number> {
    const row = await this.sql.one<{ breakdowns: number }>(
      'UPDATE jobs SET breakdowns = breakdowns + 1 WHERE id = $1 RETURNING breakdowns',
      [id],
    );
    return row.breakdowns;
  }

  /** Ends a job whose row is locked. */
  async end(id: string, status: JobStatus, { done, failed }: JobCounts): Promise<Job> {
    const { raw } = await this.jobs.update(
      { id },
      { status, done, failed, finishedAt: () => 'clock_timestamp()', holder: null, heldUntil: null },
      { returning: '*' },
    );
    return returnedEntity(this.jobs, raw as object[]);
  }

  /** Deletes jobs that ended more than `days` days ago and have no rows left. @returns the number deleted */
  deleteEndedBefore(days: number, limit: number): Promise<number> {
    return this.sql.affected(
      `DELETE FROM jobs WHERE id IN (
         SELECT id FROM jobs WHERE finished_at < clock_timestamp() - make_interval(days => $1)
           AND NOT EXISTS (SELECT 1 FROM job_rows WHERE job_id = jobs.id)
         LIMIT $2 FOR UPDATE SKIP LOCKED)`,
      [days, limit],
    );
  }

  private get jobs() {
    return this.unitOfWork.manager.getRepository(StoredJob);
  }
}

/** Builds two separate statements rather than one with an OR, because each has its own index. */
const ownedBy = (ownerId: string | null): { condition: string; values: unknown[] } =>
  ownerId === null ? { condition: 'true', values: [] } : { condition: 'owner_id = $1', values: [ownerId] };
