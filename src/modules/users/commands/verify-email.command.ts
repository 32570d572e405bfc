import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { AppError } from '../../../common/errors/app.error.js';
import { UserWriter } from '../user.writer.js';
import { userEventTypes } from '../events/user.event.js';

/**
 * Marks the address as verified because its owner has read a mail sent there. Does not set the address: a
 * link to a former address must not bring that address back.
 * @throws AppError `NOT_FOUND` unless the user is active and has that address
 */
export class VerifyEmail extends Command<void> {
  constructor(
    readonly id: string,
    readonly email: string,
  ) {
    super();
  }
}

@CommandHandler(VerifyEmail)
export class VerifyEmailHandler implements ICommandHandler<VerifyEmail> {
  constructor(private readonly writer: UserWriter) {}

  async execute({ id, email }: VerifyEmail): Promise<void> {
    await this.writer.updateActive(id, (user) => {
      if (user.email !== email) throw new AppError('NOT_FOUND');
      if (user.emailVerified) return null;
      return { changes: { emailVerified: true }, events: [userEventTypes.emailConfirmed] };
    });
  }
}
