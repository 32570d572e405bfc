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
import { Cipher } from '../crypto/cipher.service.js';
import { connectionOptions } from '../database/driver/connections/connection-options.js';
import { APPLICATION_NAME } from '../database/driver/data-source.js';
import { createTimeoutClientClass } from '../database/driver/connections/timeout.client.js';
import { connectionFailure } from '../../common/errors/connection-failure.js';
import { withTimeout } from '../../common/with-timeout.js';
import { BackgroundLogger } from '../logging/background.logger.js';
import { QUEUE_SCHEMA } from '../database/queue-schema.js';
import { tracing } from '../telemetry/tracing.js';
import { QueueMetrics } from './queue.metrics.js';
import { encryptionPurpose } from './task.queue.js';

/**
 * Handles one kind of task. It may run again for a task that was nearly done. After {@link HANDLER_TIMEOUT_MS}
 * the task counts as failed, although the handler keeps running.
 */
export type TaskHandler = (payload: unknown, job: EnqueuedTask) => Promise<void>;

export interface EnqueuedTask {
  /** The start of the transaction that enqueued it, by the database clock. */
  readonly enqueuedAt: Date;
}

const HANDLER_TIMEOUT_MS = 10 * 60_000;
const CONCURRENCY = 2;
const MAX_CONNECTIONS = 2;
/**
 * The limit on the worker's own statements. On a dead path they would otherwise wait forever, and block tasks
 * and shutdown. They are all short; handlers use the request pool.
 */
const STATEMENT_TIMEOUT_MS = 5000;
const RESTART_AFTER_MS = 5000;

/** The payload of a task as the queue holds it. */
interface StoredPayload {
  readonly sealed: string;
  /** The work that enqueued the task; absent if it had no trace, or if an earlier version enqueued it. */
  readonly traceparent?: string;
}

/** Runs a task in the trace of what enqueued it. */
const inSpan = (
  task: string,
  { traceparent }: Pick<StoredPayload, 'traceparent'>,
  work: () => Promise<void>,
): Promise<void> =>
  tracing.resume(
    traceparent ?? null,
    { name: `process ${task}`, kind: 'consumer', attributes: { 'messaging.destination.name': task } },
    work,
  );

const limited = (work: Promise<void>): Promise<void> =>
  withTimeout(work, HANDLER_TIMEOUT_MS, () => new Error(`took longer than ${HANDLER_TIMEOUT_MS} ms`));

/** Runs the tasks that any instance has enqueued, on connections separate from those of requests. */
@Injectable()
export class TaskWorker implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new BackgroundLogger(TaskWorker.name);
  private readonly tasks: TaskList = {};
  private readonly periodic: CronItem[] = [];
  private readonly pool: pg.Pool;
  private runner: Runner | null = null;
  private restart: NodeJS.Timeout | undefined;
  private stopping = false;

  constructor(
    @InjectConfig() config: Config & { readonly DATABASE_URL: string },
    private readonly cipher: Cipher,
    private readonly metrics: QueueMetrics,
  ) {
    // graphile-worker's own pool drops its error listeners before it has closed its connections. A connection
    // that breaks just then would end the process.
    const { Client, ...address } = connectionOptions(config.LISTEN_DATABASE_URL ?? config.DATABASE_URL);
    this.pool = new pg.Pool({
      ...address,
      Client: createTimeoutClientClass(Client, STATEMENT_TIMEOUT_MS),
      application_name: `${APPLICATION_NAME}:jobs`,
      connectionTimeoutMillis: config.DB_CONNECT_TIMEOUT_MS,
      max: MAX_CONNECTIONS,
    });
    const broken = (error: Error) =>
      this.logger.warn(`a connection of the task worker broke and is replaced: ${connectionFailure(error)}`);
    this.pool.on('error', broken);
    this.pool.on('connect', (client) => client.on('error', broken));
  }

  /** Registers a handler. Must be called before the application starts. */
  register(task: string, handler: TaskHandler): void {
    this.metrics.know(task);
    this.tasks[task] = (payload, { job }) =>
      this.metrics.count(
        task,
        inSpan(task, payload as StoredPayload, () =>
          limited(
            handler(this.decryptPayload(task, payload as StoredPayload), { enqueuedAt: job.created_at }),
          ),
        ),
      );
  }

  /**
   * Registers a periodic task that runs once for all instances. `pattern` is a crontab pattern in UTC. Must
   * be called before the application starts.
   */
  registerPeriodic(task: string, pattern: string, handler: () => Promise<void>): void {
    this.metrics.know(task);
    this.tasks[task] = () =>
      this.metrics.count(
        task,
        inSpan(task, {}, () => limited(handler())),
      );
    this.periodic.push({ task, match: pattern, options: { maxAttempts: 1 } });
  }

  /** Starts the runner, unless it was stopped before. */
  async onApplicationBootstrap(): Promise<void> {
    if (!this.stopping) await this.startRunner();
  }

  /**
   * Stops the runner: running tasks finish or are put back. Does nothing when called again or when the runner
   * has already ended.
   */
  async onModuleDestroy(): Promise<void> {
    if (this.stopping) return;
    this.stopping = true;
    clearTimeout(this.restart);
    try {
      await this.runner?.stop();
    } catch (error) {
      this.logger.warn(error, 'the task worker did not stop cleanly');
    }
    await this.pool.end();
  }

  private async startRunner(): Promise<void> {
    const runner = await run({
      pgPool: this.pool,
      // Without batching, a failure to record a finished task ends the runner, which is then restarted. A
      // batch would ignore it.
      preset: { worker: { completeJobBatchDelay: 0, failJobBatchDelay: 0 } },
      schema: QUEUE_SCHEMA,
      taskList: this.tasks,
      concurrency: CONCURRENCY,
      noHandleSignals: true,
      // Behind a pooler, a statement may be prepared on one server connection and run on another.
      noPreparedStatements: true,
      parsedCronItems: parseCronItems(this.periodic),
      logger: new WorkerLogger(this.log),
    });
    this.runner = runner;
    runner.promise.then(
      () => this.onEnded(new Error('it stopped')),
      (error: unknown) => this.onEnded(error),
    );
  }

  /**
   * Restarts the runner. It gives up when the database goes away at the wrong moment, and tasks must resume
   * when it is back.
   */
  private onEnded(reason: unknown): void {
    if (this.stopping) return;
    this.logger.error(reason, 'the task worker ended and is restarted');
    this.runner = null;
    this.restart = setTimeout(() => {
      this.startRunner().catch((error: unknown) => this.onEnded(error));
    }, RESTART_AFTER_MS);
  }

  private decryptPayload(task: string, { sealed: encrypted }: StoredPayload): unknown {
    return JSON.parse(
      this.cipher.decrypt(Buffer.from(encrypted, 'base64'), encryptionPurpose(task)).toString(),
    );
  }

  private readonly log: LogFunctionFactory = () => (level, message) => {
    if (level === 'error') this.logger.error(message);
    else if (level === 'warning') this.logger.warn(message);
    else this.logger.debug(message);
  };
}
