import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Principal } from '../../../common/authorization/principal.types.js';
import { AppError } from '../../../common/errors/app.error.js';
import type { Preconditions } from '../../../common/http/preconditions/preconditions.decorator.js';
import { RolesService } from '../../roles/roles.service.js';
import { UserWriter, type UserChange } from '../user.writer.js';
import { ADMIN, assertNotDeleted } from '../user-rules.js';
import { MAX_ROLES_OF_USER } from '../dto/set-roles.dto.js';
import { userEventTypes } from '../events/user.event.js';
import { LastAdminPolicy } from '../last-admin.policy.js';
import type { User } from '../user.entity.js';

/** Computes the new roles of a user from the current ones. */
type ChangeRoles = (held: readonly string[]) => readonly string[];

/** Replaces the roles of a user. @throws AppError `PRECONDITION_REQUIRED` without `If-Match` */
export class SetRoles extends Command<User> {
  constructor(
    readonly id: string,
    readonly roles: readonly string[] | ChangeRoles,
    readonly caller: Principal,
    readonly condition: Preconditions | null,
  ) {
    super();
  }
}

@CommandHandler(SetRoles)
export class SetRolesHandler implements ICommandHandler<SetRoles> {
  constructor(
    private readonly writer: UserWriter,
    private readonly roles: RolesService,
    private readonly lastAdminPolicy: LastAdminPolicy,
  ) {}

  async execute(command: SetRoles): Promise<User> {
    const { id, caller, condition } = command;
    if (!condition?.hasIfMatch) throw new AppError('PRECONDITION_REQUIRED');
    // Answers 403 and 400 before it judges the condition (412), so this command checks the condition itself.
    return this.writer.updateLocked({ id, caller, condition: null }, (user) => this.decide(user, command));
  }

  private async decide(user: User, { roles, caller, condition }: SetRoles): Promise<UserChange | null> {
    assertNotDeleted(user);
    const wanted = (typeof roles === 'function' ? roles(user.roles) : roles).toSorted();
    await this.roles.assertGrantable(
      wanted.filter((role) => !user.roles.includes(role)),
      caller,
    );
    if (wanted.length === 0) {
      throw AppError.invalid('roles', `roles must contain 1 to ${MAX_ROLES_OF_USER} items`);
    }
    condition?.assertWrite(user);
    if (user.roles.includes(ADMIN) && !wanted.includes(ADMIN)) await this.lastAdminPolicy.assertNotLast(user);
    if (wanted.join() === user.roles.join()) return null;
    return { changes: { roles: wanted }, events: [userEventTypes.rolesChanged] };
  }
}
