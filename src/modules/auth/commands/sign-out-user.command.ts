import { Command, CommandBus, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Principal } from '../../../common/authorization/principal.types.js';
import { AppError } from '../../../common/errors/app.error.js';
import { UnitOfWork } from '../../../platform/database/transactions/unit-of-work.js';
import { UsersService } from '../../users/users.service.js';
import { EndSession } from './end-session.command.js';
import { EndSessions } from './end-sessions.command.js';

/**
 * Ends one session or every session of another user on behalf of a caller.
 * @throws AppError `NOT_FOUND`, also for a session that has ended or belongs to another user
 * @throws AppError `FORBIDDEN` for a user who holds a permission that the caller does not hold
 */
export class SignOutUser extends Command<void> {
  constructor(
    readonly userId: string,
    readonly caller: Principal,
    /** Null for every session. */
    readonly sessionId: string | null = null,
  ) {
    super();
  }
}

@CommandHandler(SignOutUser)
export class SignOutUserHandler implements ICommandHandler<SignOutUser> {
  constructor(
    private readonly users: UsersService,
    private readonly commands: CommandBus,
    private readonly unitOfWork: UnitOfWork,
  ) {}

  async execute({ userId, caller, sessionId }: SignOutUser): Promise<void> {
    await this.unitOfWork.run(async () => {
      await this.users.lockManageable(userId, caller);
      if (sessionId === null) {
        await this.commands.execute(new EndSessions(userId, null, 'session.revoke'));
        return;
      }
      const ended = await this.commands.execute(new EndSession(sessionId, userId, 'session.revoke'));
      if (!ended) throw new AppError('NOT_FOUND');
    });
  }
}
