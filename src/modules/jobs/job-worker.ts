import { Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { newId } from '../../common/ids.js';
import { BackgroundConnections } from '../../platform/database/background-connections.js';
import { PeriodicTask } from '../../platform/lifecycle/periodic-task.js';
import { type Job, JobKindsService } from './job-kinds.service.js';
import { HELD_SECONDS, JobRun } from './job-run.js';
import { JobsRepository } from './jobs.repository.js';
import { BackgroundLogger } from '../../platform/logging/background-logger.js';

const LOOK_EVERY_MS = 1000;
/** Their rows share the lanes of the instance. */
const JOBS_AT_ONCE = 4;

/**
 * Takes jobs that nobody does, those of a killed instance too: each job is on one instance at a time. Not a task of
 * the job runner: that has two places for all mails and webhooks, ten minutes for each, and gives what a killed
 * instance held to another one after a quarter of an hour.
 */
@Injectable()
export class JobWorker implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new BackgroundLogger(JobWorker.name);
  private readonly held = new Map<AbortController, Promise<void>>();
  private readonly task = new PeriodicTask(
    LOOK_EVERY_MS,
    () => this.look(),
    (error) => this.logger.error(error, 'no job could be taken'),
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

  /** What runs is rolled back and put back; another instance goes on with it at once. */
  async onModuleDestroy(): Promise<void> {
    await this.task.stop();
    for (const leave of this.held.keys()) leave.abort();
    await Promise.all(this.held.values());
  }

  /** There may be something to do. It is not done in the name, nor in the time, of whoever says so. */
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
      .catch((error: unknown) => this.logger.error(error, `the job ${job.id} could not be begun`))
      .finally(() => {
        this.held.delete(leave);
        if (!this.task.stopping) this.wake();
      });
    this.held.set(leave, done);
  }
}
