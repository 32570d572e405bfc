import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Principal } from '../../../common/authorization/principal.types.js';
import { AuditLog } from '../../../platform/audit-log/audit-log.service.js';
import { UnitOfWork } from '../../../platform/database/transactions/unit-of-work.js';
import { type Job, JobRegistry } from '../job-registry.service.js';
import { assertVisible, hasEnded } from '../job.policy.js';
import { JobsRepository } from '../storage/jobs.repository.js';

/**
 * Cancels a job. Open rows are skipped. A job that has ended stays unchanged.
 * @throws AppError `NOT_FOUND`, also for another user's job without `jobs:manage`
 */
export class CancelJob extends Command<Job> {
  constructor(
    readonly id: string,
    readonly caller: Principal,
  ) {
    super();
  }
}

@CommandHandler(CancelJob)
export class CancelJobHandler implements ICommandHandler<CancelJob> {
  constructor(
    private readonly repository: JobsRepository,
    private readonly registry: JobRegistry,
    private readonly audit: AuditLog,
    private readonly unitOfWork: UnitOfWork,
  ) {}

  /**
   * Waits for rows that are being settled, and counts them. A row that would settle later is skipped by then
   * and rolls back.
   */
  execute({ id, caller }: CancelJob): Promise<Job> {
    return this.unitOfWork.run(async () => {
      const job = assertVisible(await this.repository.findByIdForUpdate(id), caller);
      if (hasEnded(job)) return job;
      const kind = this.registry.find(job.type);
      await kind?.skipOpen(job);
      const counts = (await kind?.count(job)) ?? { ...job, open: 0 };
      await this.audit.record({ action: 'job.cancel', target: { type: 'job', id } });
      return this.repository.end(id, 'cancelled', counts);
    });
  }
}
