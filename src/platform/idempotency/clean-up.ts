import { Injectable, type OnModuleInit } from '@nestjs/common';
import { inBatches } from '../jobs/in-batches.js';
import { JobRunner } from '../jobs/job-runner.js';
import { IdempotencyRepository } from './idempotency.repository.js';

/** Deletes expired responses once an hour, on one instance. */
@Injectable()
export class IdempotencyCleanUp implements OnModuleInit {
  constructor(
    private readonly runner: JobRunner,
    private readonly repository: IdempotencyRepository,
  ) {}

  onModuleInit(): void {
    this.runner.registerPeriodic('idempotency.clean-up', '37 * * * *', () => this.run());
  }

  async run(): Promise<void> {
    await inBatches((limit) => this.repository.deleteExpired(limit));
    await inBatches((limit) => this.repository.deleteLostClaims(limit));
  }
}
