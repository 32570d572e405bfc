import { Injectable, type OnModuleInit } from '@nestjs/common';
import { SqlRunner } from '../database/sql.runner.js';
import { TaskWorker } from './task.worker.js';
import { QUEUE_SCHEMA } from '../database/queue-schema.js';

/** One and a half times the handler limit: an instance that holds a task for longer was killed. */
const LOST_AFTER_SECONDS = 15 * 60;
/**
 * The time after its creation for which a failed task is kept, because its payload must not outlive a day.
 */
const FAILED_RETENTION_SECONDS = 86_400;
const BATCH = 10_000;

/** Puts back the tasks of killed instances and deletes tasks that have failed permanently. */
@Injectable()
export class QueueMaintenance implements OnModuleInit {
  constructor(
    private readonly worker: TaskWorker,
    private readonly sql: SqlRunner,
  ) {}

  onModuleInit(): void {
    this.worker.registerPeriodic('jobs.free-lost', '*/5 * * * *', () => this.unlockLostTasks());
    this.worker.registerPeriodic('jobs.delete-failed', '43 * * * *', () => this.deleteFailed());
  }

  /**
   * Unlocks lost tasks. The instance's pool holds its tasks under one name, and a live instance releases each
   * of them in time.
   */
  async unlockLostTasks(): Promise<void> {
    await this.sql.execute(
      `SELECT ${QUEUE_SCHEMA}.force_unlock_workers(ARRAY(
         SELECT DISTINCT locked_by FROM ${QUEUE_SCHEMA}.jobs
         WHERE locked_at < clock_timestamp() - make_interval(secs => $1::integer)))`,
      [LOST_AFTER_SECONDS],
    );
  }

  /** Deletes failed tasks, and leaves the rest after one batch to the next hour. */
  async deleteFailed(): Promise<void> {
    await this.sql.execute(
      `SELECT count(*) FROM ${QUEUE_SCHEMA}.complete_jobs(ARRAY(
         SELECT id FROM ${QUEUE_SCHEMA}.jobs
         WHERE attempts >= max_attempts AND locked_at IS NULL
           AND created_at < clock_timestamp() - make_interval(secs => $1::integer)
         LIMIT $2))`,
      [FAILED_RETENTION_SECONDS, BATCH],
    );
  }
}
