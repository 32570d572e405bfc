import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Principal } from '../../../common/authorization/principal.js';
import { AppError } from '../../../common/errors/app-error.js';
import type { Preconditions } from '../../../common/http/preconditions.js';
import { AccountKeys } from '../../../platform/crypto/account-keys.js';
import { UnitOfWork } from '../../../platform/database/unit-of-work.js';
import { AccountHistory } from '../account-history.js';
import { Authority } from '../authority.js';
import { ErasureLog } from '../erasure-log.js';
import { userEventTypes } from '../events/user-events.js';
import { UsersRepository } from '../users.repository.js';

/**
 * Makes the personal data of an account unreadable, for good: its row is emptied, and the key under which
 * history holds it destroyed. Whoever may call it sees deleted accounts.
 * @throws AppError `NOT_FOUND` also for one that is erased, `FORBIDDEN` for one above the caller, `CONFLICT` for one
 * that is not deleted
 */
export class EraseUser extends Command<void> {
  constructor(
    readonly id: string,
    /** Null: the service itself. */
    readonly caller: Principal | null,
    /** It was erased before, and a backup has brought it back: however it stands there. */
    readonly again = false,
    readonly condition: Preconditions | null = null,
  ) {
    super();
  }
}

@CommandHandler(EraseUser)
export class EraseUserHandler implements ICommandHandler<EraseUser> {
  constructor(
    private readonly repository: UsersRepository,
    private readonly authority: Authority,
    private readonly keys: AccountKeys,
    private readonly history: AccountHistory,
    private readonly log: ErasureLog,
    private readonly unitOfWork: UnitOfWork,
  ) {}

  async execute({ id, caller, again, condition }: EraseUser): Promise<void> {
    await this.unitOfWork.run(async () => {
      const user = caller
        ? await this.authority.hold(id, caller)
        : await this.repository.findByIdForUpdate(id);
      if (!user) throw new AppError('NOT_FOUND');
      condition?.assertWrite(user);
      if (user.status !== 'deleted' && !again) {
        throw new AppError('CONFLICT', { message: 'The account is not deleted: delete it first' });
      }
      const erased = await this.repository.erase(user);
      await this.keys.destroy(id);
      await this.history.record(user, erased, [userEventTypes.erased]);
      await this.log.enqueue(id, erased.updatedAt);
    });
  }
}
