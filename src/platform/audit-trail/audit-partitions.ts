import { Injectable, type OnModuleInit } from '@nestjs/common';
import { SqlRunner } from '../database/sql.runner.js';
import { JobRunner } from '../jobs/job-runner.js';

/**
 * Months prepared beyond the current one: the time a service may run, or be stopped, before an entry has no
 * partition.
 */
const MONTHS_AHEAD = 2;

/**
 * Ensures that partitions exist for future audit entries. A function of the database's owner creates them.
 */
@Injectable()
export class AuditPartitions implements OnModuleInit {
  constructor(
    private readonly runner: JobRunner,
    private readonly sql: SqlRunner,
  ) {}

  async onModuleInit(): Promise<void> {
    await this.make();
    this.runner.registerPeriodic('audit.partitions', '23 1 * * *', () => this.make());
  }

  async make(): Promise<void> {
    await this.sql.execute(
      `SELECT make_audit_partition((clock_timestamp() AT TIME ZONE 'UTC' + make_interval(months => ahead))::date)
       FROM generate_series(0, $1::integer) AS ahead`,
      [MONTHS_AHEAD],
    );
  }
}
