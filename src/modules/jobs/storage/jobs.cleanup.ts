import { Injectable, type OnModuleInit } from '@nestjs/common';
import { deleteInBatches } from '../../../platform/queue/delete-in-batches.js';
import { TaskWorker } from '../../../platform/queue/task.worker.js';
import { JobRowsRepository } from './job-rows.repository.js';
import { JobsRepository } from './jobs.repository.js';

/** The retention in days after a job ends. */
const RETENTION_DAYS = 30;

/** Deletes old jobs and their results once an hour on one instance. */
@Injectable()
export class JobsCleanup implements OnModuleInit {
  constructor(
    private readonly worker: TaskWorker,
    private readonly jobs: JobsRepository,
    private readonly rows: JobRowsRepository,
  ) {}

  onModuleInit(): void {
    this.worker.registerPeriodic('bulk-jobs.clean-up', '7 * * * *', () => this.run());
  }

  async run(): Promise<void> {
    await deleteInBatches((limit) => this.rows.deleteEndedBefore(RETENTION_DAYS, limit));
    await deleteInBatches((limit) => this.jobs.deleteEndedBefore(RETENTION_DAYS, limit));
  }
}
