import { setTimeout as sleep } from 'node:timers/promises';
import { Injectable, Logger } from '@nestjs/common';
import type { AppError } from '../../../common/errors/app.error.js';
import { AuditLog } from '../../../platform/audit-log/audit-log.service.js';
import { isTransient } from '../../../platform/database/database.errors.js';
import { UnitOfWork } from '../../../platform/database/transactions/unit-of-work.js';
import { toAppError } from '../../../platform/http/answers/error-answer.js';
import type { JobCallerCache } from './job-caller.cache.js';
import { JobAttemptsService, ownerLacksPermission } from '../job-attempts.service.js';
import type { BulkAction, Job } from '../job-registry.service.js';
import { JobRowsRepository, type OpenRow } from '../storage/job-rows.repository.js';

/**
 * The number of timeouts before a row fails. Another transaction may lock the row for long, and the job must
 * not wait forever.
 */
const MAX_TIMEOUTS = 3;
const FIRST_PAUSE_MS = 100;
const MAX_PAUSE_MS = 5000;

/** A row and everything needed to process it. */
interface RowTask {
  readonly job: Job;
  readonly action: BulkAction;
  readonly caller: JobCallerCache;
  readonly row: OpenRow;
  /**
   * The signal that aborts when this instance must release the job. The current attempt is then rolled back.
   */
  readonly signal: AbortSignal;
}

/** The error thrown when another worker has settled the row. It rolls back the work done here. */
class AlreadySettledError extends Error {}

/**
 * Processes one row of a bulk job. The action and the row's result share one unit of work, so a crash leaves
 * both or neither. The row is processed only once, even if several workers attempt it.
 */
@Injectable()
export class BulkRowProcessor {
  private readonly logger = new Logger(BulkRowProcessor.name);

  constructor(
    private readonly rows: JobRowsRepository,
    private readonly attempts: JobAttemptsService,
    private readonly audit: AuditLog,
    private readonly unitOfWork: UnitOfWork,
  ) {}

  /**
   * Retries until the row has a result. Retries temporary database errors instead of failing the row.
   * @returns false when another worker has settled the row
   */
  async settle(task: RowTask): Promise<boolean> {
    for (let attempt = 1; !task.signal.aborted; attempt++) {
      try {
        await this.attempt(task, attempt);
        return true;
      } catch (error) {
        if (error instanceof AlreadySettledError) return false;
        await pause(attempt, task.signal);
      }
    }
    return true;
  }

  /** Makes one attempt. @throws errors that a retry may avoid */
  private async attempt(task: RowTask, attempt: number): Promise<void> {
    try {
      await this.runAction(task);
    } catch (error) {
      const refusal = refusalOf(error, attempt);
      if (!refusal) throw error;
      if (refusal.status >= 500) this.logger.error(refusal.cause ?? error, 'a row of a bulk job failed');
      await this.fail(task, refusal);
    }
  }

  private async runAction(task: RowTask): Promise<void> {
    const { job, action, row, signal } = task;
    const caller = await task.caller.current();
    if (!caller?.permissions.has(action.permission)) throw ownerLacksPermission();
    const run = () => action.run(row.itemId, { caller, parameters: job.parameters });
    await this.attempts.runAsOwner(job, caller, signal, async () => {
      if (job.dryRun) await this.attempts.dryRun(run);
      await this.unitOfWork.run(async () => {
        if (!job.dryRun) await run();
        await this.write(row, null);
      });
    });
  }

  /**
   * Stores the failure after the attempt is rolled back. A denied permission leaves an audit entry, as in a
   * single request.
   */
  private async fail(task: RowTask, refusal: AppError): Promise<void> {
    const { job, row, signal } = task;
    await this.attempts.runAsOwner(job, await task.caller.current(), signal, () =>
      this.unitOfWork.run(async () => {
        const target = { type: 'job', id: job.id };
        if (refusal.denied)
          await this.audit.record({ action: 'permission.check', target, outcome: 'denied' });
        await this.write(row, refusal);
      }),
    );
  }

  private async write(row: OpenRow, error: AppError | null): Promise<void> {
    if (!(await this.rows.setResult(row, error ? 'failed' : 'ok', error))) throw new AlreadySettledError();
  }
}

/** Returns the error with which the row fails, or null for a retry. */
function refusalOf(error: unknown, attempt: number): AppError | null {
  if (error instanceof AlreadySettledError || isTransient(error)) return null;
  const refusal = toAppError(error);
  if (refusal.status === 504) return attempt >= MAX_TIMEOUTS ? refusal : null;
  return refusal.status === 503 ? null : refusal;
}

async function pause(attempt: number, signal: AbortSignal): Promise<void> {
  const longest = Math.min(MAX_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(attempt - 1, 10));
  await sleep(longest * (0.5 + Math.random() / 2), null, { signal }).catch(() => {});
}
