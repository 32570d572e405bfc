import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Principal } from '../../../common/authorization/principal.js';
import { AuditTrail } from '../../../platform/audit-trail/audit-trail.js';
import { UnitOfWork } from '../../../platform/database/unit-of-work.js';
import { type Job, JobKindsService } from '../job-kinds.service.js';
import { assertVisible, hasEnded } from '../job-rules.js';
import { JobsRepository } from '../jobs.repository.js';

/**
 * Ends a job: what has not been done by now is never done. One that has ended stays as it is.
 * @throws AppError `NOT_FOUND` also for another's without `jobs:manage`
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

  /** Rows that are done just now are waited for, and counted; one that comes later finds itself skipped, and rolls back. */
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
