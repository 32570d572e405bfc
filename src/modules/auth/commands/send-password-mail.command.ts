import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Principal } from '../../../common/authorization/principal.types.js';
import { AppError } from '../../../common/errors/app.error.js';
import { AuditLog } from '../../../platform/audit-log/audit-log.service.js';
import { UnitOfWork } from '../../../platform/database/transactions/unit-of-work.js';
import { UsersService } from '../../users/users.service.js';
import { UserMailsService } from '../recovery/user-mails.service.js';

/** A mail that lets a user set a password. */
export type PasswordMail = 'set-password';

/**
 * Mails another user a token to set a password, on behalf of a caller. The present password stays until then.
 * @throws AppError `NOT_FOUND`, or `FORBIDDEN` for a user who holds a permission that the caller does not hold
 * @throws AppError `CONFLICT` for a user who is not active
 * @throws AppError `RATE_LIMITED` when the user has got too many such mails within an hour
 */
export class SendPasswordMail extends Command<void> {
  constructor(
    readonly userId: string,
    readonly mail: PasswordMail,
    readonly caller: Principal,
  ) {
    super();
  }
}

@CommandHandler(SendPasswordMail)
export class SendPasswordMailHandler implements ICommandHandler<SendPasswordMail> {
  constructor(
    private readonly users: UsersService,
    private readonly mails: UserMailsService,
    private readonly audit: AuditLog,
    private readonly unitOfWork: UnitOfWork,
  ) {}

  async execute({ userId, caller }: SendPasswordMail): Promise<void> {
    await this.unitOfWork.run(async () => {
      const user = await this.users.lockManageable(userId, caller);
      if (user.status !== 'active')
        throw new AppError('CONFLICT', { message: `This user is ${user.status}` });
      if (!(await this.mails.sendToken('reset-password', user, user.email))) {
        const message = 'The user has got too many of these mails; try again later';
        throw new AppError('RATE_LIMITED', { message });
      }
      await this.audit.record({ action: 'user.password_reset', target: { type: 'user', id: userId } });
    });
  }
}
