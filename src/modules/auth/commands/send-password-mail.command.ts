import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Principal } from '../../../common/authorization/principal.types.js';
import { AppError } from '../../../common/errors/app.error.js';
import { AuditLog } from '../../../platform/audit-log/audit-log.service.js';
import { UnitOfWork } from '../../../platform/database/transactions/unit-of-work.js';
import { UsersService } from '../../users/users.service.js';
import { UserMailsService } from '../recovery/user-mails.service.js';

/** A mail with a token to set a password: a reset, or an invitation for a user who has no password. */
export type PasswordMail = 'set-password' | 'invitation';

const ACTIONS = { 'set-password': 'user.password_reset', invitation: 'user.invite' } as const;

/**
 * Mails another user a token to set a password, on behalf of a caller. The current password works until the user
 * sets a new one.
 * @throws AppError `NOT_FOUND`, or `FORBIDDEN` for a user who holds a permission that the caller does not hold
 * @throws AppError `CONFLICT` for a user who is not active, and for an invitation of a user with a password
 * @throws AppError `RATE_LIMITED` when the user was sent too many such mails within an hour
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

  async execute({ userId, mail, caller }: SendPasswordMail): Promise<void> {
    await this.unitOfWork.run(async () => {
      const user = await this.users.lockManageable(userId, caller);
      if (user.status !== 'active')
        throw new AppError('CONFLICT', { message: `This user is ${user.status}` });
      if (mail === 'invitation') await this.assertNoPassword(userId);
      if (!(await this.mails.sendToken(mail, user, user.email))) {
        throw await this.mails.tooMany(
          mail,
          userId,
          'The user has got too many of these mails; try again later',
        );
      }
      await this.audit.record({ action: ACTIONS[mail], target: { type: 'user', id: userId } });
    });
  }

  private async assertNoPassword(userId: string): Promise<void> {
    if ((await this.users.getWithPassword(userId)).passwordHash === null) return;
    throw new AppError('CONFLICT', { message: 'This user has a password. Send a password reset instead' });
  }
}
