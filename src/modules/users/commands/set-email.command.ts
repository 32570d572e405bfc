import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Principal } from '../../../common/authorization/principal.types.js';
import { canonicalEmail } from '../../../common/email-address.js';
import { AppError } from '../../../common/errors/app.error.js';
import type { Preconditions } from '../../../common/http/preconditions/preconditions.decorator.js';
import type { SetEmailDto } from '../dto/set-email.dto.js';
import { userEventTypes } from '../events/user.event.js';
import { userSortKeys } from '../listing/user-sort-keys.js';
import type { User } from '../user.entity.js';
import { assertNotDeleted } from '../user-rules.js';
import { type UserChange, UserWriter } from '../user.writer.js';

const OWN_ADDRESS = 'To change your own address, use POST /api/users/me/email, which requires your password';

/**
 * Changes the address of a user on behalf of an administrator, or marks it as confirmed.
 * @throws AppError `CONFLICT` when another user has taken the address, or for a deleted user
 * @throws AppError `FORBIDDEN` when callers change their own address, which requires their password
 */
export class SetEmail extends Command<User> {
  constructor(
    readonly id: string,
    readonly input: SetEmailDto,
    readonly caller: Principal,
    readonly condition: Preconditions | null,
  ) {
    super();
  }
}

@CommandHandler(SetEmail)
export class SetEmailHandler implements ICommandHandler<SetEmail> {
  constructor(private readonly writer: UserWriter) {}

  execute(command: SetEmail): Promise<User> {
    return this.writer.updateLocked(command, (user) => this.decide(user, command));
  }

  private decide(user: User, { input: { email, verified }, caller }: SetEmail): UserChange | null {
    assertNotDeleted(user);
    // Otherwise a stolen access token would be enough to take over the caller's user for good.
    if (user.id === caller.userId && email !== user.email)
      throw new AppError('FORBIDDEN', { message: OWN_ADDRESS });
    const emailKey = canonicalEmail(email);
    // Another spelling reaches the same mailbox.
    const emailVerified = verified ?? (emailKey === user.emailKey && user.emailVerified);
    if (email === user.email && emailVerified === user.emailVerified) return null;
    const isConfirmed = email === user.email && emailVerified;
    return {
      changes: { email, emailKey, ...userSortKeys(user.name, email), emailVerified },
      events: [isConfirmed ? userEventTypes.emailConfirmed : userEventTypes.emailChanged],
    };
  }
}
