import { Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import {
  type CronItem,
  type LogFunctionFactory,
  Logger as WorkerLogger,
  parseCronItems,
  run,
  type Runner,
  type TaskList,
} from 'graphile-worker';
import pg from 'pg';
import type { Config } from '../../config/config.js';
import { InjectConfig } from '../../config/config.module.js';
import { Sealer } from '../crypto/sealer.js';
import { connectionTo } from '../database/connection-to.js';
import { APPLICATION_NAME } from '../database/data-source.js';
import { createImpatientClientClass } from '../database/impatient-client.js';
import { connectionFailure } from '../../common/errors/connection-failure.js';
import { BackgroundLogger } from '../logging/background-logger.js';
import { JOB_SCHEMA } from './job-schema.js';
import { sealPurpose } from './jobs.js';
import { within } from './within.js';

/**
 * Does one kind of job; it may be called again for one that was nearly done. After {@link HANDLER_LIMIT_MS}
 * it counts as failed, though what it does goes on.
 */
export type JobHandler = (payload: unknown, job: EnqueuedJob) => Promise<void>;

export interface EnqueuedJob {
  /** By the clock of the database: when the transaction that enqueued it began. */
  readonly enqueuedAt: Date;
}

const HANDLER_LIMIT_MS = 10 * 60_000;
const CONCURRENCY = 2;
const MAX_CONNECTIONS = 2;
/**
 * On a dead path a statement of the worker would otherwise wait for ever, and jobs and a stop with it. All its
 * statements are short: handlers send theirs over the pool of requests.
 */
const STATEMENT_LIMIT_MS = 5000;
const RESTART_AFTER_MS = 5000;

/** Does the jobs that any instance has enqueued, on connections apart from those of requests. */
@Injectable()
export class JobRunner implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new BackgroundLogger(JobRunner.name);
  private readonly tasks: TaskList = {};
  private readonly periodic: CronItem[] = [];
  private readonly pool: pg.Pool;
  private runner: Runner | null = null;
  private restart: NodeJS.Timeout | undefined;
  private stopping = false;

  constructor(
    @InjectConfig() config: Config & { readonly DATABASE_URL: string },
    private readonly sealer: Sealer,
  ) {
    // The pool that graphile-worker makes for itself loses its error listeners before it has closed its connections, and
    // one that breaks just then would end the process.
    const { Client, ...address } = connectionTo(config.LISTEN_DATABASE_URL ?? config.DATABASE_URL);
    this.pool = new pg.Pool({
      ...address,
      Client: createImpatientClientClass(Client, STATEMENT_LIMIT_MS),
      application_name: `${APPLICATION_NAME}:jobs`,
      connectionTimeoutMillis: config.DB_CONNECT_TIMEOUT_MS,
      max: MAX_CONNECTIONS,
    });
    const broken = (error: Error) =>
      this.logger.warn(`a connection of the job runner broke, and is replaced: ${connectionFailure(error)}`);
    this.pool.on('error', broken);
    this.pool.on('connect', (client) => client.on('error', broken));
  }

  /** Before the application has started. */
  register(task: string, handler: JobHandler): void {
    this.tasks[task] = (payload, { job }) =>
      within(HANDLER_LIMIT_MS, handler(this.open(task, payload), { enqueuedAt: job.created_at }));
  }

  /** `pattern` as in a crontab, in UTC; once for all instances. Before the application has started. */
  registerPeriodic(task: string, pattern: string, handler: () => Promise<void>): void {
    this.tasks[task] = () => within(HANDLER_LIMIT_MS, handler());
    this.periodic.push({ task, match: pattern, options: { maxAttempts: 1 } });
  }

  async onApplicationBootstrap(): Promise<void> {
    await this.run();
  }

  /** What runs is finished, or put back; once more does nothing. A runner that has ended by itself has nothing to stop. */
  async onModuleDestroy(): Promise<void> {
    if (this.stopping) return;
    this.stopping = true;
    clearTimeout(this.restart);
    try {
      await this.runner?.stop();
    } catch (error) {
      this.logger.warn(error, 'the job runner did not stop in order');
    }
    await this.pool.end();
  }

  private async run(): Promise<void> {
    const runner = await run({
      pgPool: this.pool,
      // Without a batch nobody handles it when the end of a job cannot be written; so the runner ends, and starts again.
      preset: { worker: { completeJobBatchDelay: 0, failJobBatchDelay: 0 } },
      schema: JOB_SCHEMA,
      taskList: this.tasks,
      concurrency: CONCURRENCY,
      noHandleSignals: true,
      // Behind a pooler a statement may be prepared on one server connection and run on another.
      noPreparedStatements: true,
      parsedCronItems: parseCronItems(this.periodic),
      logger: new WorkerLogger(this.log),
    });
    this.runner = runner;
    runner.promise.then(
      () => this.ended(new Error('it stopped')),
      (error: unknown) => this.ended(error),
    );
  }

  /** A runner gives up when the database is away at the wrong moment: jobs must go on when it is back. */
  private ended(reason: unknown): void {
    if (this.stopping) return;
    this.logger.error(reason, 'the job runner ended, and is started again');
    this.runner = null;
    this.restart = setTimeout(() => {
      this.run().catch((error: unknown) => this.ended(error));
    }, RESTART_AFTER_MS);
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
