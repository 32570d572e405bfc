import { Injectable, type OnModuleInit } from '@nestjs/common';
import { inBatches } from '../../platform/jobs/in-batches.js';
import { JobRunner } from '../../platform/jobs/job-runner.js';
import { ImportPiecesRepository } from './import-pieces.repository.js';

/** It looks once an hour, and a day is the most that staged lines may stay. */
const STAGED_HOURS = 22;

/** Deletes what was staged and never imported, and the results of jobs that are gone. */
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
