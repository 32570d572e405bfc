import { Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { AppError } from '../../../common/errors/app.error.js';
import { deleteInBatches } from '../../../platform/queue/delete-in-batches.js';
import { TaskWorker } from '../../../platform/queue/task.worker.js';
import { RESTORABLE_DAYS } from '../user-rules.js';
import { EraseUser } from '../commands/erase-user.command.js';
import { ErasureLog } from './erasure.log.js';
import { UsersRepository } from '../users.repository.js';

/** The number of erasure log entries that one query looks up. */
const BATCH = 1000;

/** Erases users whose time to restore has passed, and users whom a restored backup brought back. */
@Injectable()
export class ErasureScheduler implements OnModuleInit {
  private readonly logger = new Logger(ErasureScheduler.name);

  constructor(
    private readonly commands: CommandBus,
    private readonly repository: UsersRepository,
    private readonly log: ErasureLog,
    private readonly worker: TaskWorker,
  ) {}

  onModuleInit(): void {
    this.worker.registerPeriodic('users.erase-deleted', '53 * * * *', () => this.eraseDeleted());
  }

  /** Erases users who can no longer be restored, each in its own unit of work. */
  eraseDeleted(): Promise<void> {
    return deleteInBatches(async (limit) => {
      let erased = 0;
      for (const id of await this.repository.findDeletedBefore(RESTORABLE_DAYS, limit)) {
        if (await this.erase(new EraseUser(id, null))) erased++;
      }
      return erased;
    });
  }

  /**
   * Erases again the users whom a backup brought back. Runs before the service accepts requests.
   * @returns the number of users
   */
  async eraseRestoredFromBackup(): Promise<number> {
    await this.warnOfFault();
    let erased = 0;
    let ids: string[] = [];
    const eraseThem = async () => {
      for (const id of await this.repository.findNotErased(ids)) {
        if (!(await this.erase(new EraseUser(id, null, true)))) continue;
        erased++;
        this.logger.warn({ user_id: id }, 'erased a user whom a backup had brought back');
      }
      ids = [];
    };
    for await (const id of this.log.ids()) {
      ids.push(id);
      if (ids.length === BATCH) await eraseThem();
    }
    await eraseThem();
    return erased;
  }

  /**
   * Warns instead of refusing to start, because queued tasks retry each line for hours and log their
   * failures.
   */
  private async warnOfFault(): Promise<void> {
    const fault = await this.log.findFault();
    if (fault === null) return;
    this.logger.warn(
      `erasures cannot be logged in DATA_DIR; restoring a backup would bring erased users back: ${fault}`,
    );
  }

  /**
   * Returns false when the user is gone or restored by now. For a user whom a backup brought back, any
   * refusal but `NOT_FOUND` is an error.
   */
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
