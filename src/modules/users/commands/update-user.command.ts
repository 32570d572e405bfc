import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Principal } from '../../../common/authorization/principal.js';
import type { Preconditions } from '../../../common/http/preconditions.js';
import { AccountChanges, type Change } from '../account-changes.js';
import { assertNotDeleted } from '../account-rules.js';
import type { UpdateUserDto } from '../dto/update-user.dto.js';
import { type UserEventType, userEventTypes } from '../events/user-events.js';
import { LastAdmin } from '../last-admin.js';
import { foldedKeys } from '../user-keys.js';
import type { User } from '../user.entity.js';

/** Renames, disables or enables a user. Emits no event for a value that stays the same. */
export class UpdateUser extends Command<User> {
  constructor(
    readonly id: string,
    readonly input: UpdateUserDto,
    readonly caller: Principal,
    readonly condition: Preconditions | null,
  ) {
    super();
  }
}

@CommandHandler(UpdateUser)
export class UpdateUserHandler implements ICommandHandler<UpdateUser> {
  constructor(
    private readonly accounts: AccountChanges,
    private readonly lastAdmin: LastAdmin,
  ) {}

  execute({ id, input, caller, condition }: UpdateUser): Promise<User> {
    return this.accounts.asCaller({ id, caller, condition }, (user) => this.decide(user, input));
  }

  private async decide(user: User, { name, status }: UpdateUserDto): Promise<Change | null> {
    assertNotDeleted(user);
    const disabled = status === undefined ? user.disabled : status === 'disabled';
    if (disabled && !user.disabled) await this.lastAdmin.assertNot(user);
    const renamed = name !== undefined && name !== user.name;
    const events: UserEventType[] = renamed ? [userEventTypes.updated] : [];
    if (disabled !== user.disabled) events.push(disabled ? userEventTypes.disabled : userEventTypes.enabled);
    const changes = renamed ? { name, ...foldedKeys(name, user.email), disabled } : { disabled };
    return events.length === 0 ? null : { changes, events };
  }
}
