import { Injectable } from '@nestjs/common';
import { BulkJobProcessor } from './processing/bulk-job.processor.js';
import { type BulkAction, JobRegistry } from './job-registry.service.js';
import { JobRowsRepository } from './storage/job-rows.repository.js';

/** The registry of bulk actions. Registering an action makes it available. */
@Injectable()
export class BulkActionsService {
  constructor(
    private readonly registry: JobRegistry,
    private readonly rows: JobRowsRepository,
    private readonly processor: BulkJobProcessor,
  ) {}

  /** Registers an action before the application starts. */
  register(action: BulkAction): void {
    this.registry.register({
      type: action.type,
      perform: (job, signal) => this.processor.perform(job, action, signal),
      count: ({ id }) => this.rows.count(id),
      skipOpen: ({ id }) => this.rows.skipOpen(id),
      findResults: (page) => this.rows.findPage(page),
      countResults: (jobId, status) => this.rows.countSettled(jobId, status),
    });
  }
}
