import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { AppError } from '../../../common/errors/app-error.js';
import type { AuditAction } from '../../../platform/audit-trail/audit-actions.js';
import { UnitOfWork } from '../../../platform/database/unit-of-work.js';
import { AccountHistory } from '../account-history.js';
import { userEventTypes } from '../events/user-events.js';
import type { User } from '../user.entity.js';
import { UsersRepository } from '../users.repository.js';

/** Gives the account another password, unless somebody else has since `user` was read. @throws AppError `CONFLICT` then */
export class ReplacePassword extends Command<void> {
  constructor(
    /** With the hash that is to be replaced. */
    readonly user: User,
    readonly passwordHash: string,
    /** What the audit trail calls it. */
    readonly action: Extract<AuditAction, 'auth.password_change' | 'auth.password_reset'>,
  ) {
    super();
  }
}

@CommandHandler(ReplacePassword)
export class ReplacePasswordHandler implements ICommandHandler<ReplacePassword> {
  constructor(
    private readonly repository: UsersRepository,
    private readonly history: AccountHistory,
    private readonly unitOfWork: UnitOfWork,
  ) {}

  async execute({ user, passwordHash, action }: ReplacePassword): Promise<void> {
    await this.unitOfWork.run(async () => {
      const before = await this.repository.findByIdForUpdate(user.id);
      const after = before && (await this.repository.replacePassword(user, passwordHash));
      if (!after) throw new AppError('CONFLICT', { message: 'The password has just been changed' });
      await this.history.record(before, after, [userEventTypes.passwordChanged], action);
    });
  }
}
