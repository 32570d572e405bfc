import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Principal } from '../../../common/authorization/principal.js';
import { AppError } from '../../../common/errors/app-error.js';
import { newId } from '../../../common/ids.js';
import { AuditTrail } from '../../../platform/audit-trail/audit-trail.js';
import { UnitOfWork } from '../../../platform/database/unit-of-work.js';
import type { BulkAction, Job } from '../job-kinds.service.js';
import { JobRowsRepository } from '../job-rows.repository.js';
import { JobWorker } from '../job-worker.js';
import { JobsRepository } from '../jobs.repository.js';

/** Of one account, that have not ended. */
export const MAX_OPEN_JOBS = 10;

interface BulkInput {
  /** Different ones. */
  readonly itemIds: readonly string[];
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly dryRun: boolean;
}

/**
 * Has an action done to many things, soon, for a caller who may do it: that is looked at again with each row.
 * @throws AppError `CONFLICT` when the caller has {@link MAX_OPEN_JOBS} under way
 */
export class CreateBulkJob extends Command<Job> {
  constructor(
    readonly action: Pick<BulkAction, 'type'>,
    readonly input: BulkInput,
    readonly caller: Principal,
  ) {
    super();
  }
}

@CommandHandler(CreateBulkJob)
export class CreateBulkJobHandler implements ICommandHandler<CreateBulkJob> {
  constructor(
    private readonly jobs: JobsRepository,
    private readonly rows: JobRowsRepository,
    private readonly worker: JobWorker,
    private readonly audit: AuditTrail,
    private readonly unitOfWork: UnitOfWork,
  ) {}

  execute({ action, input, caller }: CreateBulkJob): Promise<Job> {
    const { itemIds, parameters, dryRun } = input;
    const { userId: ownerId, sessionId } = caller;
    return this.unitOfWork.run(async () => {
      if ((await this.jobs.countOpenOf(ownerId)) >= MAX_OPEN_JOBS) {
        throw new AppError('CONFLICT', {
          message: `An account can have ${MAX_OPEN_JOBS} jobs under way at most`,
        });
      }
      const { type } = action;
      const total = itemIds.length;
      const job = await this.jobs.insert({
        id: newId(),
        type,
        total,
        ownerId,
        sessionId,
        dryRun,
        parameters,
      });
      await this.rows.insertAll(job.id, itemIds);
      await this.audit.record({
        action: 'job.create',
        target: { type: 'job', id: job.id },
        changes: {
          type: { from: null, to: type },
          total: { from: null, to: total },
          dry_run: { from: null, to: dryRun },
        },
        about: ownerId,
      });
      this.unitOfWork.afterCommit(() => this.worker.wake());
      return job;
    });
  }
}
