import { Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { newId } from '../../../common/ids.js';
import { BackgroundPool } from '../../../platform/database/driver/pools/background.pool.js';
import { PeriodicTask } from '../../../platform/lifecycle/periodic-task.js';
import { type Job, JobRegistry } from '../job-registry.service.js';
import { LEASE_SECONDS, JobRunner } from './job.runner.js';
import { JobsRepository } from '../storage/jobs.repository.js';
import { BackgroundLogger } from '../../../platform/logging/background.logger.js';

const POLL_INTERVAL_MS = 1000;
/** The number of jobs that run at once. Their rows share the concurrency limit of the instance. */
const MAX_CONCURRENT_JOBS = 4;

/**
 * Claims unclaimed jobs, including those of a killed instance, so that each job runs on one instance at a
 * time. It does not use the task queue, which has two slots for all mails and webhooks and a limit of ten
 * minutes per task. The queue also takes a quarter of an hour to reassign the tasks of a killed instance.
 */
@Injectable()
export class JobWorker implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new BackgroundLogger(JobWorker.name);
  private readonly held = new Map<AbortController, Promise<void>>();
  private readonly task = new PeriodicTask(
    POLL_INTERVAL_MS,
    () => this.poll(),
    (error) => this.logger.error(error, 'no job could be claimed'),
  );
  private pollAgain = false;

  constructor(
    private readonly repository: JobsRepository,
    private readonly registry: JobRegistry,
    private readonly runner: JobRunner,
    private readonly pool: BackgroundPool,
  ) {}

  onApplicationBootstrap(): void {
    this.task.start();
  }

  /** Rolls back the running rows and releases the jobs. Another instance continues them at once. */
  async onModuleDestroy(): Promise<void> {
    await this.task.stop();
    for (const leave of this.held.keys()) leave.abort();
    await Promise.all(this.held.values());
  }

  /** Looks for jobs outside the context and time limit of the caller. */
  wake(): void {
    this.pollAgain = true;
    void this.task.run();
  }

  private async poll(): Promise<void> {
    this.pollAgain = true;
    while (this.pollAgain && !this.task.stopping && this.held.size < MAX_CONCURRENT_JOBS) {
      this.pollAgain = false;
      const holder = newId();
      const job = await this.repository.claim(holder, this.registry.types, LEASE_SECONDS);
      if (!job) continue;
      this.pollAgain = true;
      this.startJob(job, holder);
    }
  }

  private startJob(job: Job, holder: string): void {
    const leave = new AbortController();
    const done = this.pool
      .runWith(() => this.runner.perform({ job, holder, leave }))
      .catch((error: unknown) => this.logger.error(error, `job ${job.id} could not be started`))
      .finally(() => {
        this.held.delete(leave);
        if (!this.task.stopping) this.wake();
      });
    this.held.set(leave, done);
  }
}
