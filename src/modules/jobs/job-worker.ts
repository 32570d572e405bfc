import { Injectable, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { requestContext } from '../../common/context/request-context.js';
import { newId } from '../../common/ids.js';
import { BackgroundConnections } from '../../platform/database/background-connections.js';
import { type Job, JobKindsService } from './job-kinds.service.js';
import { HELD_SECONDS, JobRun } from './job-run.js';
import { JobsRepository } from './jobs.repository.js';

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
  private readonly logger = new Logger(JobWorker.name);
  private readonly held = new Map<AbortController, Promise<void>>();
  private timer: NodeJS.Timeout | undefined;
  private looking: Promise<void> | null = null;
  private lookAgain = false;
  private stopping = false;
  private failing = false;

  constructor(
    private readonly repository: JobsRepository,
    private readonly kinds: JobKindsService,
    private readonly run: JobRun,
    private readonly connections: BackgroundConnections,
  ) {}

  onApplicationBootstrap(): void {
    this.timer = setInterval(() => this.wake(), LOOK_EVERY_MS);
  }

  /** What runs is rolled back and put back; another instance goes on with it at once. */
  async onModuleDestroy(): Promise<void> {
    this.stopping = true;
    clearInterval(this.timer);
    await this.looking;
    for (const leave of this.held.keys()) leave.abort();
    await Promise.all(this.held.values());
  }

  /** There may be something to do. It is not done in the name, nor in the time, of whoever says so. */
  wake(): void {
    this.lookAgain = true;
    this.looking ??= requestContext.leave(() => this.look()).finally(() => (this.looking = null));
  }

  private async look(): Promise<void> {
    try {
      while (this.lookAgain && !this.stopping && this.held.size < JOBS_AT_ONCE) {
        this.lookAgain = false;
        const holder = newId();
        const job = await this.repository.claim(holder, this.kinds.types, HELD_SECONDS);
        if (!job) continue;
        this.lookAgain = true;
        this.begin(job, holder);
      }
      this.failing = false;
    } catch (error) {
      // The next second tries again; a fault that lasts is told once.
      if (!this.failing) this.logger.error(error, 'no job could be taken');
      this.failing = true;
    }
  }

  private begin(job: Job, holder: string): void {
    const leave = new AbortController();
    const done = this.connections
      .use(() => this.run.perform({ job, holder, leave }))
      .catch((error: unknown) => this.logger.error(error, `the job ${job.id} could not be begun`))
      .finally(() => {
        this.held.delete(leave);
        if (!this.stopping) this.wake();
      });
    this.held.set(leave, done);
  }
}
