import { AsyncLocalStorage } from 'node:async_hooks';
import { Injectable } from '@nestjs/common';
import PQueue from 'p-queue';
import type { Config } from '../../../config/config.js';
import { InjectConfig } from '../../../config/config.module.js';
import { BulkRowProcessor } from './bulk-row.processor.js';
import { JobCallerCache } from './job-caller.cache.js';
import type { BulkAction, Job } from '../job-registry.service.js';
import { JobWithdrawalService } from '../job-withdrawal.service.js';
import { JobRowsRepository, type OpenRow } from '../storage/job-rows.repository.js';

/** The number of rows fetched at once. */
const PAGE = 200;

/** Processes the rows of bulk jobs. One concurrency limit per instance applies to all jobs together. */
@Injectable()
export class BulkJobProcessor {
  private readonly lane: PQueue;

  constructor(
    @InjectConfig() private readonly config: Config,
    private readonly rows: JobRowsRepository,
    private readonly processor: BulkRowProcessor,
    private readonly withdrawals: JobWithdrawalService,
  ) {
    this.lane = new PQueue({ concurrency: config.BATCH_CONCURRENCY });
  }

  /**
   * Starts each open row once. Stops early when another worker settles rows because the job was cancelled or
   * taken over. Resolves when all started rows have finished, also after `signal` aborts.
   */
  async perform(job: Job, action: BulkAction, signal: AbortSignal): Promise<void> {
    const caller = new JobCallerCache(() => this.withdrawals.findCaller(job));
    const open = this.openRows(job.id);
    const others = new AbortController();
    const over = AbortSignal.any([signal, others.signal]);
    const work = async (): Promise<void> => {
      for (let next = await open.next(); next.done !== true && !over.aborted; next = await open.next()) {
        const { value: row } = next;
        // The lane runs a row when another one ends, perhaps of another job. The row keeps the trace of its own.
        await this.lane.add(
          AsyncLocalStorage.bind(async () => {
            if (over.aborted) return;
            if (!(await this.processor.settle({ job, action, caller, row, signal }))) others.abort();
          }),
        );
      }
    };
    const ends = await Promise.allSettled(Array.from({ length: this.config.BATCH_CONCURRENCY }, work));
    const broken = ends.find((end) => end.status === 'rejected');
    if (broken) throw broken.reason;
  }

  private async *openRows(jobId: string): AsyncGenerator<OpenRow, void> {
    for (let after = -1; ;) {
      const page = await this.rows.findOpen(jobId, after, PAGE);
      yield* page;
      const last = page.at(-1);
      if (!last) return;
      after = last.index;
    }
  }
}
