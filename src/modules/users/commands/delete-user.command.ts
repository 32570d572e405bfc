import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Principal } from '../../../common/authorization/principal.js';
import type { Preconditions } from '../../../common/http/preconditions.js';
import { AccountChanges } from '../account-changes.js';
import { userEventTypes } from '../events/user-events.js';
import { LastAdmin } from '../last-admin.js';

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
    private readonly accounts: AccountChanges,
    private readonly lastAdmin: LastAdmin,
  ) {}

  async execute(target: DeleteUser): Promise<void> {
    await this.accounts.asCaller(target, async (user) => {
      if (user.status === 'deleted') return null;
      await this.lastAdmin.assertNot(user);
      return { changes: { deleted: true }, events: [userEventTypes.deleted] };
    });
  }
}
