import { Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { AppError } from '../../common/errors/app-error.js';
import { OnDomainEvent } from '../../platform/events/domain-events.js';
import { inBatches } from '../../platform/jobs/in-batches.js';
import { JobRunner } from '../../platform/jobs/job-runner.js';
import { Jobs } from '../../platform/jobs/jobs.js';
import { RESTORABLE_DAYS } from './account-rules.js';
import { EraseUser } from './commands/erase-user.command.js';
import { ErasureLog } from './erasure-log.js';
import { userEventTypes } from './events/user-events.js';
import { UsersRepository } from './users.repository.js';

const SAMPLE_ANEW = 'users.sample-anew';
/** Of the log of erasures, looked up at once. */
const BATCH = 1000;

/** Erases without being asked: what was deleted long enough ago, and what a backup has brought back. */
@Injectable()
export class Erasures implements OnModuleInit {
  private readonly logger = new Logger(Erasures.name);

  constructor(
    private readonly commands: CommandBus,
    private readonly repository: UsersRepository,
    private readonly log: ErasureLog,
    private readonly jobs: Jobs,
    private readonly runner: JobRunner,
  ) {}

  onModuleInit(): void {
    this.runner.registerPeriodic('users.erase-deleted', '53 * * * *', () => this.eraseDeleted());
    this.runner.register(SAMPLE_ANEW, () => this.repository.sampleAnew());
  }

  /** Those that cannot be restored any more, each in a unit of work of its own. */
  eraseDeleted(): Promise<void> {
    return inBatches(async (limit) => {
      let erased = 0;
      for (const id of await this.repository.findDeletedBefore(RESTORABLE_DAYS, limit)) {
        if (await this.erase(new EraseUser(id, null))) erased++;
      }
      return erased;
    });
  }

  /** Before anybody is served: erases those whom a backup has brought back. */
  async repeat(): Promise<void> {
    await this.warnOfFault();
    let ids: string[] = [];
    const eraseThem = async () => {
      for (const id of await this.repository.findNotErased(ids)) {
        if (await this.erase(new EraseUser(id, null, true)))
          this.logger.warn({ user_id: id }, 'erased once more');
      }
      ids = [];
    };
    for await (const id of this.log.ids()) {
      ids.push(id);
      if (ids.length === BATCH) await eraseThem();
    }
    await eraseThem();
  }

  /** What the planner sampled would outlive the account. Once for all that are erased meanwhile. */
  @OnDomainEvent(userEventTypes.erased)
  async forgetSamples(): Promise<void> {
    await this.jobs.enqueue(SAMPLE_ANEW, {}, SAMPLE_ANEW);
  }

  /** No reason not to serve: jobs try each line again for hours, and say so. */
  private async warnOfFault(): Promise<void> {
    const fault = await this.log.findFault();
    if (fault === null) return;
    this.logger.warn(
      `erasures cannot be logged in DATA_DIR, so a backup that is restored would bring people back: ${fault}`,
    );
  }

  /** @returns whether it did: it may be gone by now, or restored. What a backup has brought back is not let go so easily */
  private async erase(command: EraseUser): Promise<boolean> {
    try {
      await this.commands.execute(command);
      return true;
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      if (error.code === 'NOT_FOUND' || (error.code === 'CONFLICT' && !command.again)) return false;
      throw error;
    }
  }
}
