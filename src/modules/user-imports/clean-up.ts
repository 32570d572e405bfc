import { Injectable, type OnModuleInit } from '@nestjs/common';
import { inBatches } from '../../platform/jobs/in-batches.js';
import { JobRunner } from '../../platform/jobs/job-runner.js';
import { ImportPiecesRepository } from './import-pieces.repository.js';

/**
 * The age at which staged lines are discarded. The task runs once an hour, and lines may stay for a day at
 * most.
 */
const STAGED_HOURS = 22;

/** Discards staged lines that were never imported, and deletes the results of deleted jobs. */
@Injectable()
export class ImportsCleanUp implements OnModuleInit {
  constructor(
    private readonly runner: JobRunner,
    private readonly pieces: ImportPiecesRepository,
  ) {}

  onModuleInit(): void {
    this.runner.registerPeriodic('user-imports.clean-up', '17 * * * *', () => this.run());
  }

  async run(): Promise<void> {
    await inBatches((limit) => this.pieces.skipStagedBefore(STAGED_HOURS, limit));
    await inBatches((limit) => this.pieces.deleteWithoutJob(STAGED_HOURS, limit));
  }
}
