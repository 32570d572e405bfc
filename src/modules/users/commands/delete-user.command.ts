import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Principal } from '../../../common/authorization/principal.types.js';
import type { Preconditions } from '../../../common/http/preconditions/preconditions.decorator.js';
import { UserWriter } from '../user.writer.js';
import { userEventTypes } from '../events/user.event.js';
import { LastAdminPolicy } from '../last-admin.policy.js';

/** Deletes a user, who can then be restored. Deleting a deleted user again changes nothing. */
export class DeleteUser extends Command<void> {
  constructor(
    readonly id: string,
    readonly caller: Principal,
    readonly condition: Preconditions | null,
  ) {
    super();
  }
}

@CommandHandler(DeleteUser)
export class DeleteUserHandler implements ICommandHandler<DeleteUser> {
  constructor(
    private readonly writer: UserWriter,
    private readonly lastAdminPolicy: LastAdminPolicy,
  ) {}

  async execute(target: DeleteUser): Promise<void> {
    await this.writer.updateLocked(target, async (user) => {
      if (user.status === 'deleted') return null;
      await this.lastAdminPolicy.assertNotLast(user);
      return { changes: { deleted: true }, events: [userEventTypes.deleted] };
    });
  }
}
