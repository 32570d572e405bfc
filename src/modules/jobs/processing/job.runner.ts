import { setTimeout as sleep } from 'node:timers/promises';
import { Injectable, Logger } from '@nestjs/common';
import { UnitOfWork } from '../../../platform/database/transactions/unit-of-work.js';
import { toAppError } from '../../../platform/http/answers/error-answer.js';
import { tracing } from '../../../platform/telemetry/tracing.js';
import { type Job, type JobKind, JobRegistry, publicType } from '../job-registry.service.js';
import { JobsMetrics } from '../jobs.metrics.js';
import { JobsRepository } from '../storage/jobs.repository.js';

/** The lease time of a job. Any instance may claim the job after this long without a heartbeat. */
export const LEASE_SECONDS = 5;
const HEARTBEAT_MS = 500;
const RETRY_AFTER_SECONDS = 1;
/** The number of unexpected errors after which the job fails. Temporary database errors do not count. */
const MAX_BREAKDOWNS = 5;

/** A job that this instance has claimed. */
export interface ClaimedJob {
  readonly job: Job;
  /** The lease holder's id. */
  readonly holder: string;
  /** The controller that aborts when this instance must release the job. */
  readonly leave: AbortController;
}

/** Runs a claimed job to its end. The heartbeats that renew its lease also update its counts. */
@Injectable()
export class JobRunner {
  private readonly logger = new Logger(JobRunner.name);

  constructor(
    private readonly repository: JobsRepository,
    private readonly registry: JobRegistry,
    private readonly unitOfWork: UnitOfWork,
    private readonly metrics: JobsMetrics,
  ) {}

  /** Runs the job and never throws. Leaves unfinished rows to the next instance that claims it. */
  async perform(claimed: ClaimedJob): Promise<void> {
    const { job, holder, leave } = claimed;
    const kind = this.registry.find(job.type);
    if (!kind) return;
    const over = new AbortController();
    const beats = this.keepLease(claimed, kind, over.signal);
    let pauseSeconds = 0;
    try {
      await tracing.resume(
        job.traceparent,
        { name: `job ${publicType(job.type)}`, kind: 'consumer', attributes: { 'gatehouse.job.id': job.id } },
        () => kind.perform(job, leave.signal),
      );
      await this.endIfDone(job, kind);
    } catch (error) {
      pauseSeconds = RETRY_AFTER_SECONDS;
      if (!leave.signal.aborted) await this.recordBreakdown(job, kind, error);
    } finally {
      over.abort();
      await beats;
    }
    // If this fails, the lease expires a little later.
    await this.repository.releaseLease(job.id, holder, pauseSeconds).catch(() => {});
  }

  private async keepLease(
    { job, holder, leave }: ClaimedJob,
    kind: JobKind,
    over: AbortSignal,
  ): Promise<void> {
    let heldAt = performance.now();
    while (!over.aborted && !leave.signal.aborted) {
      const sentAt = performance.now();
      try {
        const isHeld = await this.repository.renewLease(job.id, holder, LEASE_SECONDS, await kind.count(job));
        if (!isHeld) leave.abort();
        heldAt = sentAt;
      } catch {
        if (performance.now() - heldAt > LEASE_SECONDS * 1000) leave.abort();
      }
      await sleep(HEARTBEAT_MS, null, { signal: over }).catch(() => {});
    }
  }

  private async endIfDone(job: Job, kind: JobKind): Promise<void> {
    const { open } = await kind.count(job);
    if (open === 0) await this.end(job, kind, 'succeeded');
  }

  /** Ends the job unless it was cancelled in the meantime. */
  private async end(job: Job, kind: JobKind, status: 'succeeded' | 'failed'): Promise<void> {
    await this.unitOfWork.run(async () => {
      const current = await this.repository.findByIdForUpdate(job.id);
      if (current?.status !== 'running') return;
      await kind.skipOpen(job);
      await this.repository.end(job.id, status, await kind.count(job));
      this.unitOfWork.afterCommit(() => this.metrics.ended(status));
    });
  }

  private async recordBreakdown(job: Job, kind: JobKind, error: unknown): Promise<void> {
    const { status } = toAppError(error);
    if (status === 503 || status === 504) return;
    this.logger.error(error, `job ${job.id} threw an unexpected error`);
    try {
      if ((await this.repository.countBreakdown(job.id)) >= MAX_BREAKDOWNS)
        await this.end(job, kind, 'failed');
    } catch (another) {
      this.logger.error(another, `the error of job ${job.id} could not be recorded`);
    }
  }
}
