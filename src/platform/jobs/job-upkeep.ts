import { Injectable, type OnModuleInit } from '@nestjs/common';
import { UnitOfWork } from '../database/unit-of-work.js';
import { JobRunner } from './job-runner.js';
import { JOB_SCHEMA } from './job-schema.js';

/** Half as long again as a handler may take: whoever holds a job for longer was killed. */
const LOST_AFTER_SECONDS = 15 * 60;
/** Since a job was written: what it carries dies within a day. */
const FAILED_KEPT_SECONDS = 86_400;
const BATCH = 10_000;

/** Puts back the jobs of instances that were killed, and deletes those that have failed for good. */
@Injectable()
export class JobUpkeep implements OnModuleInit {
  constructor(
    private readonly runner: JobRunner,
    private readonly unitOfWork: UnitOfWork,
  ) {}

  onModuleInit(): void {
    this.runner.registerPeriodic('jobs.free-lost', '*/5 * * * *', () => this.freeLost());
    this.runner.registerPeriodic('jobs.delete-failed', '43 * * * *', () => this.deleteFailed());
  }

  /** Jobs are held in the name of the instance's pool; one alive lets go of each of them in time. */
  async freeLost(): Promise<void> {
    await this.unitOfWork.manager.query(
      `SELECT ${JOB_SCHEMA}.force_unlock_workers(ARRAY(
         SELECT DISTINCT locked_by FROM ${JOB_SCHEMA}.jobs
         WHERE locked_at < clock_timestamp() - make_interval(secs => $1::integer)))`,
      [LOST_AFTER_SECONDS],
    );
  }

  /** What is left after so many is the next hour's. */
  async deleteFailed(): Promise<void> {
    await this.unitOfWork.manager.query(
      `SELECT count(*) FROM ${JOB_SCHEMA}.complete_jobs(ARRAY(
         SELECT id FROM ${JOB_SCHEMA}.jobs
         WHERE attempts >= max_attempts AND locked_at IS NULL
           AND created_at < clock_timestamp() - make_interval(secs => $1::integer)
         LIMIT $2))`,
      [FAILED_KEPT_SECONDS, BATCH],
    );
  }
}
