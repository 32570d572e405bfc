import { Injectable } from '@nestjs/common';
import type { Principal } from '../../common/authorization/principal.js';
import { AppError } from '../../common/errors/app-error.js';
import { AuditTrail } from '../../platform/audit-trail/audit-trail.js';
import { UnitOfWork } from '../../platform/database/unit-of-work.js';
import { SessionsService } from '../auth/sessions.service.js';
import type { Job } from './job-kinds.service.js';
import { JobWorker } from './job-worker.js';
import { JobsRepository } from './jobs.repository.js';

/** Of one account, that have not ended. */
export const MAX_OPEN_JOBS = 10;

interface WantedJob extends Pick<Job, 'id' | 'type' | 'dryRun' | 'parameters'> {
  readonly total: number;
}

/** How a job begins, whatever its kind. */
@Injectable()
export class NewJobsService {
  constructor(
    private readonly jobs: JobsRepository,
    private readonly worker: JobWorker,
    private readonly sessions: SessionsService,
    private readonly audit: AuditTrail,
    private readonly unitOfWork: UnitOfWork,
  ) {}

  /** In the unit of work that writes its rows. @throws AppError `CONFLICT`, `UNAUTHORIZED` when the session has ended */
  async create(wanted: WantedJob, caller: Principal): Promise<Job> {
    const { userId: ownerId, sessionId } = caller;
    // After the session's end nobody would withdraw the job.
    await this.sessions.hold(caller);
    await this.assertRoom(caller);
    const job = await this.jobs.insert({ ...wanted, ownerId, sessionId });
    const { id, type, total, dryRun } = job;
    await this.audit.record({
      action: 'job.create',
      target: { type: 'job', id },
      changes: {
        type: { from: null, to: type },
        total: { from: null, to: total },
        dry_run: { from: null, to: dryRun },
      },
      about: ownerId,
    });
    this.unitOfWork.afterCommit(() => this.worker.wake());
    return job;
  }

  /** @throws AppError `CONFLICT` when the caller has {@link MAX_OPEN_JOBS} under way */
  assertRoom({ userId }: Principal): Promise<void> {
    return this.unitOfWork.run(async () => {
      if ((await this.jobs.countOpenOf(userId)) < MAX_OPEN_JOBS) return;
      const message = `An account can have ${MAX_OPEN_JOBS} jobs under way at most`;
      throw new AppError('CONFLICT', { message });
    });
  }
}
