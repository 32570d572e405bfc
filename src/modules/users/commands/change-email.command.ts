import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { canonicalEmail } from '../../../common/email-address.js';
import { UserWriter } from '../user.writer.js';
import { userEventTypes } from '../events/user.event.js';
import { userSortKeys } from '../listing/user-sort-keys.js';

/**
 * Sets the email address that the user asked for and marks it as verified.
 * @throws AppError `CONFLICT` when another user has taken the address, `NOT_FOUND` when the user is not
 * active
 */
export class ChangeEmail extends Command<void> {
  constructor(
    readonly id: string,
    readonly email: string,
  ) {
    super();
  }
}

@CommandHandler(ChangeEmail)
export class ChangeEmailHandler implements ICommandHandler<ChangeEmail> {
  constructor(private readonly writer: UserWriter) {}

  async execute({ id, email }: ChangeEmail): Promise<void> {
    await this.writer.updateActive(id, ({ name }) => ({
      changes: { email, emailKey: canonicalEmail(email), ...userSortKeys(name, email), emailVerified: true },
      events: [userEventTypes.emailConfirmed],
    }));
  }
}
