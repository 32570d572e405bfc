import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Principal } from '../../../common/authorization/principal.js';
import { AuditTrail } from '../../../platform/audit-trail/audit-trail.js';
import { UnitOfWork } from '../../../platform/database/unit-of-work.js';
import { type Job, JobKindsService } from '../job-kinds.service.js';
import { assertVisible, hasEnded } from '../job-rules.js';
import { JobsRepository } from '../jobs.repository.js';

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
    private readonly kinds: JobKindsService,
    private readonly audit: AuditTrail,
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
      const kind = this.kinds.find(job.type);
      await kind?.skipOpen(job);
      const counts = (await kind?.count(job)) ?? { ...job, open: 0 };
      await this.audit.record({ action: 'job.cancel', target: { type: 'job', id } });
      return this.repository.end(id, 'cancelled', counts);
    });
  }
}
