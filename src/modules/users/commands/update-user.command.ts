import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Principal } from '../../../common/authorization/principal.types.js';
import type { Preconditions } from '../../../common/http/preconditions/preconditions.decorator.js';
import { UserWriter, type UserChange } from '../user.writer.js';
import { assertNotDeleted } from '../user-rules.js';
import type { UpdateMeDto, UpdateUserDto } from '../dto/update-user.dto.js';
import { type UserEventType, userEventTypes } from '../events/user.event.js';
import { LastAdminPolicy } from '../last-admin.policy.js';
import { userSortKeys } from '../listing/user-sort-keys.js';
import type { User } from '../user.entity.js';

/** Renames, disables or enables a user, or changes the user's language. Emits no event for a value that stays the same. */
export class UpdateUser extends Command<User> {
  constructor(
    readonly id: string,
    readonly input: UpdateUserDto & UpdateMeDto,
    readonly caller: Principal,
    readonly condition: Preconditions | null,
  ) {
    super();
  }
}

@CommandHandler(UpdateUser)
export class UpdateUserHandler implements ICommandHandler<UpdateUser> {
  constructor(
    private readonly writer: UserWriter,
    private readonly lastAdminPolicy: LastAdminPolicy,
  ) {}

  execute({ id, input, caller, condition }: UpdateUser): Promise<User> {
    return this.writer.updateLocked({ id, caller, condition }, (user) => this.decide(user, input));
  }

  private async decide(
    user: User,
    { name, locale, status }: UpdateUser['input'],
  ): Promise<UserChange | null> {
    assertNotDeleted(user);
    const disabled = status === undefined ? user.disabled : status === 'disabled';
    if (disabled && !user.disabled) await this.lastAdminPolicy.assertNotLast(user);
    const renamed = name !== undefined && name !== user.name;
    const translated = locale !== undefined && locale !== user.locale;
    const events: UserEventType[] = renamed || translated ? [userEventTypes.updated] : [];
    if (disabled !== user.disabled) events.push(disabled ? userEventTypes.disabled : userEventTypes.enabled);
    if (events.length === 0) return null;
    const keys = renamed ? { name, ...userSortKeys(name, user.email) } : {};
    return { changes: { ...keys, locale, disabled }, events };
  }
}
