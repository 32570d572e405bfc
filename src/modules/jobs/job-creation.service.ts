import { Injectable } from '@nestjs/common';
import type { Principal } from '../../common/authorization/principal.types.js';
import { AppError } from '../../common/errors/app.error.js';
import { AuditLog } from '../../platform/audit-log/audit-log.service.js';
import { UnitOfWork } from '../../platform/database/transactions/unit-of-work.js';
import { SessionsService } from '../auth/sessions/sessions.service.js';
import { type Job, publicType } from './job-registry.service.js';
import { JobWorker } from './processing/job.worker.js';
import { JobsRepository } from './storage/jobs.repository.js';

/** The maximum number of unfinished jobs per user. */
export const MAX_OPEN_JOBS = 10;

interface JobRequest extends Pick<Job, 'id' | 'type' | 'dryRun' | 'parameters'> {
  readonly total: number;
}

/** Creates jobs of any kind. */
@Injectable()
export class JobCreationService {
  constructor(
    private readonly jobs: JobsRepository,
    private readonly worker: JobWorker,
    private readonly sessions: SessionsService,
    private readonly audit: AuditLog,
    private readonly unitOfWork: UnitOfWork,
  ) {}

  /**
   * Creates a job in the unit of work that writes its rows.
   * @throws AppError `CONFLICT`, `UNAUTHORIZED` when the session has ended
   */
  async create(wanted: JobRequest, caller: Principal): Promise<Job> {
    const { userId: ownerId, sessionId } = caller;
    // Locks the session, because a job created after its end would never be withdrawn.
    await this.sessions.lockForShare(caller);
    await this.assertBelowLimit(caller);
    const job = await this.jobs.insert({ ...wanted, ownerId, sessionId });
    const { id, type, total, dryRun } = job;
    await this.audit.record({
      action: 'job.create',
      target: { type: 'job', id },
      changes: {
        type: { from: null, to: publicType(type) },
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
  assertBelowLimit({ userId }: Principal): Promise<void> {
    return this.unitOfWork.run(async () => {
      if ((await this.jobs.countOpenOf(userId)) < MAX_OPEN_JOBS) return;
      const message = `A user can have at most ${MAX_OPEN_JOBS} unfinished jobs. Wait for one to finish or cancel it`;
      throw new AppError('CONFLICT', { message });
    });
  }
}
