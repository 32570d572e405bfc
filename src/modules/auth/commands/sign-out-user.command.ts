import { Command, CommandBus, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Principal } from '../../../common/authorization/principal.types.js';
import { UnitOfWork } from '../../../platform/database/transactions/unit-of-work.js';
import { UsersService } from '../../users/users.service.js';
import { EndSessions } from './end-sessions.command.js';

/**
 * Ends every session of another user on behalf of a caller.
 * @throws AppError `NOT_FOUND`, or `FORBIDDEN` for a user who holds a permission that the caller does not
 * hold
 */
export class SignOutUser extends Command<void> {
  constructor(
    readonly userId: string,
    readonly caller: Principal,
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

  async execute({ userId, caller }: SignOutUser): Promise<void> {
    await this.unitOfWork.run(async () => {
      await this.users.lockManageable(userId, caller);
      await this.commands.execute(new EndSessions(userId, null, 'session.revoke'));
    });
  }
}
