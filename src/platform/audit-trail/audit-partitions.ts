import { Injectable, type OnModuleInit } from '@nestjs/common';
import { UnitOfWork } from '../database/unit-of-work.js';
import { JobRunner } from '../jobs/job-runner.js';

/** Besides the running month: so long a service may run, or stand still, before an entry finds no place. */
const MONTHS_AHEAD = 2;

/** Sees to it that there is a partition for the audit entries to come. The owner's function makes it. */
@Injectable()
export class AuditPartitions implements OnModuleInit {
  constructor(
    private readonly runner: JobRunner,
    private readonly unitOfWork: UnitOfWork,
  ) {}

  async onModuleInit(): Promise<void> {
    await this.make();
    this.runner.registerPeriodic('audit.partitions', '23 1 * * *', () => this.make());
  }

  async make(): Promise<void> {
    await this.unitOfWork.manager.query(
      `SELECT make_audit_partition((clock_timestamp() AT TIME ZONE 'UTC' + make_interval(months => ahead))::date)
       FROM generate_series(0, $1::integer) AS ahead`,
      [MONTHS_AHEAD],
    );
  }
}
