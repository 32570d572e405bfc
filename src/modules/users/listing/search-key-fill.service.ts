import { Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import { lockTimeout } from '../../../platform/database/database.errors.js';
import { UnitOfWork } from '../../../platform/database/transactions/unit-of-work.js';
import { deleteInBatches } from '../../../platform/queue/delete-in-batches.js';
import { TaskWorker } from '../../../platform/queue/task.worker.js';
import { SearchKeysRepository } from './search-keys.repository.js';

/**
 * The number of users that one batch scans. Their locks must be short, and updating 1,000 keys takes a third
 * of a second.
 */
const BATCH = 500;
/**
 * The time in ms that a batch waits for a row lock. It then leaves its rows to the next run, so that no
 * request waits for it.
 */
const LOCK_WAIT_MS = 200;

/**
 * Completes the search keys of users stored before PostgreSQL did so itself (see the migration
 * `search-form`). Each batch commits together with its progress, so a run resumes where the last one ended.
 * One pass is enough, because a trigger completes every key that any instance writes in the meantime.
 */
@Injectable()
export class SearchKeyFillService implements OnModuleInit {
  private readonly logger = new Logger(SearchKeyFillService.name);

  constructor(
    private readonly worker: TaskWorker,
    private readonly unitOfWork: UnitOfWork,
    private readonly repository: SearchKeysRepository,
  ) {}

  onModuleInit(): void {
    this.worker.registerPeriodic('users.fill-search-keys', '* * * * *', () => this.run());
  }

  async run(): Promise<void> {
    try {
      await deleteInBatches((limit) => this.unitOfWork.run(() => this.fillSome(limit)), BATCH);
    } catch (error) {
      if (!lockTimeout(error)) throw error;
      this.logger.debug('the fill of search keys met a locked row and resumes in a minute');
    }
  }

  private async fillSome(limit: number): Promise<number> {
    const after = await this.repository.lockProgress();
    if (after === null) return 0;
    await this.repository.waitForLocksAtMost(LOCK_WAIT_MS);
    const { scanned, last } = await this.repository.complete(after, limit);
    const finished = scanned < limit;
    await this.repository.saveProgress(last, finished);
    if (finished) this.unitOfWork.afterCommitOrNow(() => this.logger.log('all search keys are complete'));
    return scanned;
  }
}
