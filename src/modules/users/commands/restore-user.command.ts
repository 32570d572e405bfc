import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Principal } from '../../../common/authorization/principal.types.js';
import { AppError } from '../../../common/errors/app.error.js';
import type { Preconditions } from '../../../common/http/preconditions/preconditions.decorator.js';
import { UserWriter } from '../user.writer.js';
import { RESTORABLE_DAYS } from '../user-rules.js';
import { userEventTypes } from '../events/user.event.js';
import type { User } from '../user.entity.js';

const DAY_MS = 86_400_000;

/** Undoes a deletion. @throws AppError `CONFLICT` when the user is not deleted or was deleted too long ago */
export class RestoreUser extends Command<User> {
  constructor(
    readonly id: string,
    readonly caller: Principal,
    readonly condition: Preconditions | null = null,
  ) {
    super();
  }
}

@CommandHandler(RestoreUser)
export class RestoreUserHandler implements ICommandHandler<RestoreUser> {
  constructor(private readonly writer: UserWriter) {}

  execute({ id, caller, condition }: RestoreUser): Promise<User> {
    return this.writer.updateLocked({ id, caller, condition }, (user) => {
      if (!user.deletedAt) throw new AppError('CONFLICT', { message: 'This user is not deleted' });
      if (Date.now() - user.deletedAt.getTime() > RESTORABLE_DAYS * DAY_MS) {
        throw new AppError('CONFLICT', {
          message: `This user was deleted more than ${RESTORABLE_DAYS} days ago`,
        });
      }
      return { changes: { deleted: false }, events: [userEventTypes.restored] };
    });
  }
}
