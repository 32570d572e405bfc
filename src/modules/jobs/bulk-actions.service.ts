import { Injectable } from '@nestjs/common';
import { BulkRows } from './bulk-rows.js';
import { type BulkAction, JobKindsService } from './job-kinds.service.js';
import { JobRowsRepository } from './job-rows.repository.js';

/** The bulk actions that there are: to add one is to register one. */
@Injectable()
export class BulkActionsService {
  constructor(
    private readonly kinds: JobKindsService,
    private readonly rows: JobRowsRepository,
    private readonly bulk: BulkRows,
  ) {}

  /** Before the application starts. */
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
