import { Injectable, type OnModuleInit } from '@nestjs/common';
import { inBatches } from '../../platform/jobs/in-batches.js';
import { JobRunner } from '../../platform/jobs/job-runner.js';
import { JobRowsRepository } from './job-rows.repository.js';
import { JobsRepository } from './jobs.repository.js';

/** The retention in days after a job ends. */
const KEPT_DAYS = 30;

/** Deletes old jobs and their results once an hour on one instance. */
@Injectable()
export class JobsCleanUp implements OnModuleInit {
  constructor(
    private readonly runner: JobRunner,
    private readonly jobs: JobsRepository,
    private readonly rows: JobRowsRepository,
  ) {}

  onModuleInit(): void {
    this.runner.registerPeriodic('bulk-jobs.clean-up', '7 * * * *', () => this.run());
  }

  async run(): Promise<void> {
    await inBatches((limit) => this.rows.deleteEndedBefore(KEPT_DAYS, limit));
    await inBatches((limit) => this.jobs.deleteEndedBefore(KEPT_DAYS, limit));
  }
}
