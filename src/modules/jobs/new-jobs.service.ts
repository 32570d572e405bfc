import { Injectable } from '@nestjs/common';
import type { Principal } from '../../common/authorization/principal.js';
import { AppError } from '../../common/errors/app-error.js';
import { AuditTrail } from '../../platform/audit-trail/audit-trail.js';
import { UnitOfWork } from '../../platform/database/unit-of-work.js';
import { SessionsService } from '../auth/sessions.service.js';
import type { Job } from './job-kinds.service.js';
import { JobWorker } from './job-worker.js';
import { JobsRepository } from './jobs.repository.js';

/** The maximum number of unfinished jobs per user. */
export const MAX_OPEN_JOBS = 10;

interface WantedJob extends Pick<Job, 'id' | 'type' | 'dryRun' | 'parameters'> {
  readonly total: number;
}

/** Creates jobs of any kind. */
@Injectable()
export class NewJobsService {
  constructor(
    private readonly jobs: JobsRepository,
    private readonly worker: JobWorker,
    private readonly sessions: SessionsService,
    private readonly audit: AuditTrail,
    private readonly unitOfWork: UnitOfWork,
  ) {}

  /**
   * Creates a job in the unit of work that writes its rows.
   * @throws AppError `CONFLICT`, `UNAUTHORIZED` when the session has ended
   */
  async create(wanted: WantedJob, caller: Principal): Promise<Job> {
    const { userId: ownerId, sessionId } = caller;
    // Locks the session, because a job created after its end would never be withdrawn.
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

  /**
   * Rejects a new job at the limit.
   * @throws AppError `CONFLICT` when the caller has {@link MAX_OPEN_JOBS} unfinished jobs
   */
  assertRoom({ userId }: Principal): Promise<void> {
    return this.unitOfWork.run(async () => {
      if ((await this.jobs.countOpenOf(userId)) < MAX_OPEN_JOBS) return;
      const message = `A user can have at most ${MAX_OPEN_JOBS} unfinished jobs. Wait for one to finish or cancel it`;
      throw new AppError('CONFLICT', { message });
    });
  }
}
