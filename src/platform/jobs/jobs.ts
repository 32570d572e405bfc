import { Injectable } from '@nestjs/common';
import { Sealer } from '../crypto/sealer.js';
import { JOB_SCHEMA } from './job-schema.js';
import { UnitOfWork } from '../database/unit-of-work.js';

/** With growing pauses that is about 16 hours: what a job carries dies within a day. */
const MAX_ATTEMPTS = 12;

/**
 * Work that is done later, and survives a crash. A job is written by the connection, and in the
 * transaction, of whoever wants it: neither exists without the other. What it carries is sealed.
 */
@Injectable()
export class Jobs {
  constructor(
    private readonly unitOfWork: UnitOfWork,
    private readonly sealer: Sealer,
  ) {}

  /** `key`: instead of one under that key that has not begun yet, so that what many want is done once. */
  async enqueue(task: string, payload: object, key: string | null = null): Promise<void> {
    const sealed = this.sealer.seal(Buffer.from(JSON.stringify(payload)), sealPurpose(task));
    await this.unitOfWork.manager.query(
      `SELECT ${JOB_SCHEMA}.add_job($1, $2::json, max_attempts => $3::integer, job_key => $4::text)`,
      [task, { sealed: sealed.toString('base64') }, MAX_ATTEMPTS, key],
    );
  }
}

export const sealPurpose = (task: string): string => `job:${task}`;
