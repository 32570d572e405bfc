import { Injectable, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import {
  type CronItem,
  type LogFunctionFactory,
  Logger as WorkerLogger,
  parseCronItems,
  run,
  type Runner,
  type TaskList,
} from 'graphile-worker';
import type { Config } from '../../config/config.js';
import { InjectConfig } from '../../config/config.module.js';
import { Sealer } from '../crypto/sealer.js';
import { JOB_SCHEMA } from './job-schema.js';
import { sealPurpose } from './jobs.js';

/** Does one kind of job; it may be called again for one that was nearly done. */
export type JobHandler = (payload: unknown) => Promise<void>;

const CONCURRENCY = 2;
const MAX_CONNECTIONS = 2;

/** Does the jobs that any instance has enqueued, on connections apart from those of requests. */
@Injectable()
export class JobRunner implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger(JobRunner.name);
  private readonly tasks: TaskList = {};
  private readonly periodic: CronItem[] = [];
  private runner: Runner | null = null;

  constructor(
    @InjectConfig() private readonly config: Config,
    private readonly sealer: Sealer,
  ) {}

  /** Before the application has started. */
  register(task: string, handler: JobHandler): void {
    this.tasks[task] = (payload) => handler(this.open(task, payload));
  }

  /** `pattern` as in a crontab, in UTC; once for all instances. Before the application has started. */
  registerPeriodic(task: string, pattern: string, handler: () => Promise<void>): void {
    this.tasks[task] = handler;
    this.periodic.push({ task, match: pattern, options: { maxAttempts: 1 } });
  }

  async onApplicationBootstrap(): Promise<void> {
    this.runner = await run({
      connectionString: this.config.LISTEN_DATABASE_URL ?? this.config.DATABASE_URL,
      schema: JOB_SCHEMA,
      taskList: this.tasks,
      concurrency: CONCURRENCY,
      maxPoolSize: MAX_CONNECTIONS,
      noHandleSignals: true,
      parsedCronItems: parseCronItems(this.periodic),
      logger: new WorkerLogger(this.log),
    });
    // Without a listener the end of a runner that failed would be an unhandled rejection.
    this.runner.promise.catch((error: unknown) => this.logger.error(error, 'the job runner ended'));
  }

  /** What runs is finished, or put back. A runner that has ended by itself has nothing to stop. */
  async onModuleDestroy(): Promise<void> {
    try {
      await this.runner?.stop();
    } catch (error) {
      this.logger.warn(`the job runner did not stop in order: ${String(error)}`);
    }
  }

  private open(task: string, payload: unknown): unknown {
    const { sealed } = payload as { sealed: string };
    return JSON.parse(this.sealer.open(Buffer.from(sealed, 'base64'), sealPurpose(task)).toString());
  }

  private readonly log: LogFunctionFactory = () => (level, message) => {
    if (level === 'error') this.logger.error(message);
    else if (level === 'warning') this.logger.warn(message);
    else this.logger.debug(message);
  };
}
