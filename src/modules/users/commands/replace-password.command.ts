import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { AppError } from '../../../common/errors/app.error.js';
import type { AuditAction } from '../../../platform/audit-log/audit.types.js';
import { UnitOfWork } from '../../../platform/database/transactions/unit-of-work.js';
import { UserHistory } from '../history/user.history.js';
import { userEventTypes } from '../events/user.event.js';
import type { User } from '../user.entity.js';
import { UsersRepository } from '../users.repository.js';

/** Replaces the password. @throws AppError `CONFLICT` when it has changed since `user` was read */
export class ReplacePassword extends Command<void> {
  constructor(
    /** The user as read, with the hash to replace. */
    readonly user: User,
    readonly passwordHash: string,
    /** The action of the audit entry. */
    readonly action: Extract<AuditAction, 'auth.password_change' | 'auth.password_reset'>,
  ) {
    super();
  }
}

@CommandHandler(ReplacePassword)
export class ReplacePasswordHandler implements ICommandHandler<ReplacePassword> {
  constructor(
    private readonly repository: UsersRepository,
    private readonly history: UserHistory,
    private readonly unitOfWork: UnitOfWork,
  ) {}

  async execute({ user, passwordHash, action }: ReplacePassword): Promise<void> {
    await this.unitOfWork.run(async () => {
      const before = await this.repository.findByIdForUpdate(user.id);
      const after = before && (await this.repository.replacePassword(user, passwordHash));
      if (!after) throw new AppError('CONFLICT', { message: 'The password was changed in the meantime' });
      await this.history.record(before, after, [userEventTypes.passwordChanged], {
        action,
        // The first password of an invited or imported user replaces no other one, so the user needs no warning.
        mail: user.passwordHash === null ? 'none' : 'usual',
      });
    });
  }
}
