import { Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { newId } from '../../common/ids.js';
import { BackgroundConnections } from '../../platform/database/background-connections.js';
import { PeriodicTask } from '../../platform/lifecycle/periodic-task.js';
import { type Job, JobKindsService } from './job-kinds.service.js';
import { HELD_SECONDS, JobRun } from './job-run.js';
import { JobsRepository } from './jobs.repository.js';
import { BackgroundLogger } from '../../platform/logging/background-logger.js';

const LOOK_EVERY_MS = 1000;
/** The number of jobs that run at once. Their rows share the concurrency limit of the instance. */
const JOBS_AT_ONCE = 4;

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
    LOOK_EVERY_MS,
    () => this.look(),
    (error) => this.logger.error(error, 'no job could be claimed'),
  );
  private lookAgain = false;

  constructor(
    private readonly repository: JobsRepository,
    private readonly kinds: JobKindsService,
    private readonly run: JobRun,
    private readonly connections: BackgroundConnections,
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
    this.lookAgain = true;
    void this.task.run();
  }

  private async look(): Promise<void> {
    this.lookAgain = true;
    while (this.lookAgain && !this.task.stopping && this.held.size < JOBS_AT_ONCE) {
      this.lookAgain = false;
      const holder = newId();
      const job = await this.repository.claim(holder, this.kinds.types, HELD_SECONDS);
      if (!job) continue;
      this.lookAgain = true;
      this.begin(job, holder);
    }
  }

  private begin(job: Job, holder: string): void {
    const leave = new AbortController();
    const done = this.connections
      .use(() => this.run.perform({ job, holder, leave }))
      .catch((error: unknown) => this.logger.error(error, `job ${job.id} could not be started`))
      .finally(() => {
        this.held.delete(leave);
        if (!this.task.stopping) this.wake();
      });
    this.held.set(leave, done);
  }
}
