import { Injectable, type OnModuleInit } from '@nestjs/common';
import { SqlRunner } from '../database/sql.runner.js';
import { TaskWorker } from '../queue/task.worker.js';

/**
 * Months prepared beyond the current one: the time a service may run, or be stopped, before an entry has no
 * partition.
 */
const MONTHS_AHEAD = 2;

/**
 * Ensures that partitions exist for future audit entries. A function of the database's owner creates them.
 */
@Injectable()
export class AuditPartitionsService implements OnModuleInit {
  constructor(
    private readonly worker: TaskWorker,
    private readonly sql: SqlRunner,
  ) {}

  async onModuleInit(): Promise<void> {
    await this.createPartitions();
    this.worker.registerPeriodic('audit.partitions', '23 1 * * *', () => this.createPartitions());
  }

  async createPartitions(): Promise<void> {
    await this.sql.execute(
      `SELECT make_audit_partition((clock_timestamp() AT TIME ZONE 'UTC' + make_interval(months => ahead))::date)
       FROM generate_series(0, $1::integer) AS ahead`,
      [MONTHS_AHEAD],
    );
  }
}
