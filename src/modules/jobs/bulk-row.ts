import { setTimeout as sleep } from 'node:timers/promises';
import { Injectable, Logger } from '@nestjs/common';
import type { Principal } from '../../common/authorization/principal.js';
import { requestContext } from '../../common/context/request-context.js';
import { AppError } from '../../common/errors/app-error.js';
import { AuditTrail } from '../../platform/audit-trail/audit-trail.js';
import { isTransient } from '../../platform/database/database-errors.js';
import { UnitOfWork } from '../../platform/database/unit-of-work.js';
import { toAppError } from '../../platform/http/error-answer.js';
import type { JobCaller } from './job-caller.js';
import type { BulkAction, Job } from './job-kinds.service.js';
import { JobRowsRepository, type OpenRow } from './job-rows.repository.js';

/** Shorter than the database lets a transaction live. */
const ATTEMPT_LIMIT_MS = 20_000;
/** Somebody else may hold the row for long; the rest of the job must not wait for ever. */
const MAX_TIMEOUTS = 3;
const FIRST_PAUSE_MS = 100;
const MAX_PAUSE_MS = 5000;

/** A row, and what must be known to do it. */
interface RowTask {
  readonly job: Job;
  readonly action: BulkAction;
  readonly caller: JobCaller;
  readonly row: OpenRow;
  /** Aborts when this instance is to leave it: what it had begun is rolled back. */
  readonly signal: AbortSignal;
}

/** Somebody else has settled the row: what was done for it here is rolled back. */
class SettledBefore extends Error {}
/** Rolls back what a dry run has tried out. */
class Rehearsed extends Error {}

/**
 * Does one row of a bulk job: what the action does and the result of the row are one unit of work, so that a crash
 * leaves both or none, and the row is done once whoever else may think that it is theirs.
 */
@Injectable()
export class BulkRow {
  private readonly logger = new Logger(BulkRow.name);

  constructor(
    private readonly rows: JobRowsRepository,
    private readonly audit: AuditTrail,
    private readonly unitOfWork: UnitOfWork,
  ) {}

  /**
   * Tries until there is a result. What the database could not do just now is tried again, not failed.
   * @returns false when somebody else has settled it
   */
  async settle(task: RowTask): Promise<boolean> {
    for (let attempt = 1; !task.signal.aborted; attempt++) {
      try {
        await this.attempt(task, attempt);
        return true;
      } catch (error) {
        if (error instanceof SettledBefore) return false;
        await pause(attempt, task.signal);
      }
    }
    return true;
  }

  /** @throws what may be different the next time */
  private async attempt(task: RowTask, attempt: number): Promise<void> {
    try {
      await this.act(task);
    } catch (error) {
      const refusal = refusalOf(error, attempt);
      if (!refusal) throw error;
      if (refusal.status >= 500) this.logger.error(refusal.cause ?? error, 'a row of a bulk job failed');
      await this.fail(task, refusal);
    }
  }

  private async act(task: RowTask): Promise<void> {
    const { job, action, row } = task;
    const caller = await task.caller.now();
    if (!caller?.permissions.has(action.permission)) {
      const message = 'The account that asked for this may not do it any more';
      throw new AppError('FORBIDDEN', { message, denied: false });
    }
    await asCaller(task, caller, async () => {
      if (job.dryRun) await this.rehearse(task, caller);
      await this.unitOfWork.run(async () => {
        if (!job.dryRun) await action.run(row.itemId, { caller, parameters: job.parameters });
        await this.write(row, null);
      });
    });
  }

  /** What would happen, and nothing of it does. */
  private async rehearse({ job, action, row }: RowTask, caller: Principal): Promise<void> {
    try {
      await this.unitOfWork.run(async () => {
        await action.run(row.itemId, { caller, parameters: job.parameters });
        throw new Rehearsed();
      });
    } catch (error) {
      if (!(error instanceof Rehearsed)) throw error;
    }
  }

  /** By now what was begun is rolled back. A refused right leaves an entry, as it does by hand. */
  private async fail(task: RowTask, refusal: AppError): Promise<void> {
    const { job, row } = task;
    await asCaller(task, await task.caller.now(), () =>
      this.unitOfWork.run(async () => {
        const target = { type: 'job', id: job.id };
        if (refusal.denied)
          await this.audit.record({ action: 'permission.check', target, outcome: 'denied' });
        await this.write(row, refusal);
      }),
    );
  }

  private async write(row: OpenRow, error: AppError | null): Promise<void> {
    if (!(await this.rows.settle(row, error ? 'failed' : 'ok', error))) throw new SettledBefore();
  }
}

/** What the row has failed by; null for what is tried again. */
function refusalOf(error: unknown, attempt: number): AppError | null {
  if (error instanceof SettledBefore || isTransient(error)) return null;
  const refusal = toAppError(error);
  if (refusal.status === 504) return attempt >= MAX_TIMEOUTS ? refusal : null;
  return refusal.status === 503 ? null : refusal;
}

/** The trail names the account, and the job as its request. */
function asCaller<T>(
  { job, signal }: RowTask,
  principal: Principal | null,
  work: () => Promise<T>,
): Promise<T> {
  return requestContext.run(
    {
      requestId: job.id,
      traceId: null,
      client: null,
      signal: AbortSignal.any([signal, AbortSignal.timeout(ATTEMPT_LIMIT_MS)]),
      caller: { principal, rejected: false },
    },
    work,
  );
}

async function pause(attempt: number, signal: AbortSignal): Promise<void> {
  const longest = Math.min(MAX_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(attempt - 1, 10));
  await sleep(longest * (0.5 + Math.random() / 2), null, { signal }).catch(() => {});
}
