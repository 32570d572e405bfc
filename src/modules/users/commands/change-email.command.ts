import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { canonicalEmail } from '../../../common/email-address.js';
import { AccountChanges } from '../account-changes.js';
import { userEventTypes } from '../events/user-events.js';
import { foldedKeys } from '../user-keys.js';

/**
 * The address that was asked for is the account's from now on, and verified.
 * @throws AppError `CONFLICT` when another account has it by now, `NOT_FOUND` when this one is not active
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
  constructor(private readonly accounts: AccountChanges) {}

  async execute({ id, email }: ChangeEmail): Promise<void> {
    await this.accounts.ofActive(id, ({ name }) => ({
      changes: { email, emailKey: canonicalEmail(email), ...foldedKeys(name, email), emailVerified: true },
      events: [userEventTypes.emailConfirmed],
    }));
  }
}
