import { Injectable, type OnModuleInit } from '@nestjs/common';
import { deleteInBatches } from '../../platform/queue/delete-in-batches.js';
import { TaskWorker } from '../../platform/queue/task.worker.js';
import { ImportChunksRepository } from './import-chunks.repository.js';

/**
 * The age at which staged lines are discarded. The task runs once an hour, and lines may stay for a day at
 * most.
 */
const STAGING_RETENTION_HOURS = 22;

/** Discards staged lines that were never imported, rejected rows after a day, and the results of deleted jobs. */
@Injectable()
export class ImportsCleanup implements OnModuleInit {
  constructor(
    private readonly worker: TaskWorker,
    private readonly chunks: ImportChunksRepository,
  ) {}

  onModuleInit(): void {
    this.worker.registerPeriodic('user-imports.clean-up', '17 * * * *', () => this.run());
  }

  async run(): Promise<void> {
    await deleteInBatches((limit) => this.chunks.skipStagedBefore(STAGING_RETENTION_HOURS, limit));
    await deleteInBatches((limit) => this.chunks.deleteRejected(limit));
    await deleteInBatches((limit) => this.chunks.deleteWithoutJob(STAGING_RETENTION_HOURS, limit));
  }
}
