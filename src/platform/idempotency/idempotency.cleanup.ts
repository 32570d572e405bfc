import { Injectable, type OnModuleInit } from '@nestjs/common';
import { deleteInBatches } from '../queue/delete-in-batches.js';
import { TaskWorker } from '../queue/task.worker.js';
import { IdempotencyRepository } from './idempotency.repository.js';

/** Deletes expired responses once an hour, on one instance. */
@Injectable()
export class IdempotencyCleanup implements OnModuleInit {
  constructor(
    private readonly worker: TaskWorker,
    private readonly repository: IdempotencyRepository,
  ) {}

  onModuleInit(): void {
    this.worker.registerPeriodic('idempotency.clean-up', '37 * * * *', () => this.run());
  }

  async run(): Promise<void> {
    await deleteInBatches((limit) => this.repository.deleteExpired(limit));
    await deleteInBatches((limit) => this.repository.deleteLostClaims(limit));
  }
}
