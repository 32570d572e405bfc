import { Injectable, type OnModuleInit } from '@nestjs/common';
import { deleteInBatches } from '../../platform/queue/delete-in-batches.js';
import { TaskWorker } from '../../platform/queue/task.worker.js';
import { ExportsRepository } from './exports.repository.js';

/** Deletes exports that can no longer be resumed, and the user images stored for them. */
@Injectable()
export class ExportsCleanup implements OnModuleInit {
  constructor(
    private readonly worker: TaskWorker,
    private readonly repository: ExportsRepository,
  ) {}

  onModuleInit(): void {
    // Runs every ten minutes, because every change of a user stores a row.
    this.worker.registerPeriodic('export.clean-up', '*/10 * * * *', () => this.run());
  }

  async run(): Promise<void> {
    await deleteInBatches((limit) => this.repository.deleteExpired(limit));
    await deleteInBatches((limit) => this.repository.deleteOldImages(limit));
  }
}
