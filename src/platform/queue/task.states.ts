import { Injectable } from '@nestjs/common';
import { QUEUE_SCHEMA } from '../database/queue-schema.js';
import { SqlRunner } from '../database/sql.runner.js';

/** The number of tasks that one statement counts, so that it stays cheap in a backlog. */
const MAX_COUNTED = 100_000;

/** The queued tasks of one name. */
export interface TaskState {
  readonly task: string;
  /** Tasks that are due or will be, including failed ones that are tried again. */
  readonly waiting: number;
  readonly running: number;
  /** Tasks that have failed for good. */
  readonly failed: number;
  /** The seconds for which the oldest due task has waited; 0 when none is due. */
  readonly oldestSeconds: number;
}

/** Counts what all instances have queued. */
@Injectable()
export class TaskStates {
  constructor(private readonly sql: SqlRunner) {}

  read(): Promise<TaskState[]> {
    return this.sql.rows<TaskState>(
      `SELECT task, count(*) FILTER (WHERE NOT running AND NOT failed)::integer AS waiting,
              count(*) FILTER (WHERE running)::integer AS running, count(*) FILTER (WHERE failed)::integer AS failed,
              coalesce(extract(epoch FROM statement_timestamp() - min(run_at) FILTER (
                WHERE NOT running AND NOT failed AND run_at <= statement_timestamp())), 0)::float8 AS "oldestSeconds"
       FROM (
         SELECT task_identifier AS task, locked_at IS NOT NULL AS running, run_at,
                locked_at IS NULL AND attempts >= max_attempts AS failed
         FROM ${QUEUE_SCHEMA}.jobs LIMIT ${MAX_COUNTED}
       ) AS queued
       GROUP BY task`,
    );
  }
}
