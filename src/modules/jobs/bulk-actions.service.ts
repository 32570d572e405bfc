import { Injectable } from '@nestjs/common';
import { BulkRows } from './bulk-rows.js';
import { type BulkAction, JobKindsService } from './job-kinds.service.js';
import { JobRowsRepository } from './job-rows.repository.js';

/** The registry of bulk actions. Registering an action makes it available. */
@Injectable()
export class BulkActionsService {
  constructor(
    private readonly kinds: JobKindsService,
    private readonly rows: JobRowsRepository,
    private readonly bulk: BulkRows,
  ) {}

  /** Registers an action before the application starts. */
  register(action: BulkAction): void {
    this.kinds.register({
      type: action.type,
      perform: (job, signal) => this.bulk.perform(job, action, signal),
      count: ({ id }) => this.rows.count(id),
      skipOpen: ({ id }) => this.rows.skipOpen(id),
      findResults: (page) => this.rows.findPage(page),
      countResults: (jobId, status) => this.rows.countSettled(jobId, status),
    });
  }
}
