import { Injectable, type OnModuleInit } from '@nestjs/common';
import { inBatches } from '../../platform/jobs/in-batches.js';
import { JobRunner } from '../../platform/jobs/job-runner.js';
import { ExportsRepository } from './exports.repository.js';

/** Deletes exports that can no longer be resumed, and the user images stored for them. */
@Injectable()
export class ExportCleanUp implements OnModuleInit {
  constructor(
    private readonly runner: JobRunner,
    private readonly repository: ExportsRepository,
  ) {}

  onModuleInit(): void {
    // Runs every ten minutes, because every change of a user stores a row.
    this.runner.registerPeriodic('export.clean-up', '*/10 * * * *', () => this.run());
  }

  async run(): Promise<void> {
    await inBatches((limit) => this.repository.deleteExpired(limit));
    await inBatches((limit) => this.repository.deleteOldImages(limit));
  }
}
