import { Injectable } from '@nestjs/common';
import { traceContext } from '../../common/context/trace-context.js';
import { Cipher } from '../crypto/cipher.service.js';
import { QUEUE_SCHEMA } from '../database/queue-schema.js';
import { SqlRunner } from '../database/sql.runner.js';

/**
 * The maximum number of attempts. With growing pauses they take about 16 hours, because a payload must not
 * outlive a day.
 */
const MAX_ATTEMPTS = 12;

/**
 * Enqueues work that runs later and survives a crash. A task is written in the caller's transaction, so that
 * neither exists without the other. Its payload is encrypted.
 */
@Injectable()
export class TaskQueue {
  constructor(
    private readonly sql: SqlRunner,
    private readonly cipher: Cipher,
  ) {}

  /**
   * Enqueues a task that continues the trace of the caller. With `key` it replaces a task with the same key that has not begun yet, so that work
   * requested many times runs once.
   */
  async enqueue(task: string, payload: object, key: string | null = null): Promise<void> {
    const encrypted = this.cipher.encrypt(Buffer.from(JSON.stringify(payload)), encryptionPurpose(task));
    await this.sql.defer(
      `SELECT ${QUEUE_SCHEMA}.add_job($1, $2::json, max_attempts => $3::integer, job_key => $4::text)`,
      [task, { sealed: encrypted.toString('base64'), ...storedTrace() }, MAX_ATTEMPTS, key],
    );
  }
}

function storedTrace(): { readonly traceparent?: string } {
  const traceparent = traceContext.toStore();
  return traceparent === null ? {} : { traceparent };
}

export const encryptionPurpose = (task: string): string => `job:${task}`;
