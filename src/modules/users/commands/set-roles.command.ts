import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Principal } from '../../../common/authorization/principal.js';
import { AppError } from '../../../common/errors/app-error.js';
import type { Preconditions } from '../../../common/http/preconditions.js';
import { RolesService } from '../../roles/roles.service.js';
import { AccountChanges, type Change } from '../account-changes.js';
import { ADMIN, assertNotDeleted } from '../account-rules.js';
import { MAX_ROLES_OF_ACCOUNT } from '../dto/set-roles.dto.js';
import { userEventTypes } from '../events/user-events.js';
import { LastAdmin } from '../last-admin.js';
import type { User } from '../user.entity.js';

/** The roles that an account gets, made of those that it has. */
type ChangeRoles = (held: readonly string[]) => readonly string[];

/** Replaces the roles of an account. @throws AppError `PRECONDITION_REQUIRED` without `If-Match` */
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
    private readonly accounts: AccountChanges,
    private readonly roles: RolesService,
    private readonly lastAdmin: LastAdmin,
  ) {}

  async execute(command: SetRoles): Promise<User> {
    const { id, caller, condition } = command;
    if (!condition?.hasIfMatch) throw new AppError('PRECONDITION_REQUIRED');
    // What is not allowed (403) or makes no sense (400) is said before the condition is judged (412).
    return this.accounts.asCaller({ id, caller, condition: null }, (user) => this.decide(user, command));
  }

  private async decide(user: User, { roles, caller, condition }: SetRoles): Promise<Change | null> {
    assertNotDeleted(user);
    const wanted = (typeof roles === 'function' ? roles(user.roles) : roles).toSorted();
    await this.roles.assertGrantable(
      wanted.filter((role) => !user.roles.includes(role)),
      caller,
    );
    if (wanted.length === 0) {
      throw AppError.invalid('roles', `roles must hold 1 to ${MAX_ROLES_OF_ACCOUNT} items`);
    }
    condition?.assertWrite(user);
    if (user.roles.includes(ADMIN) && !wanted.includes(ADMIN)) await this.lastAdmin.assertNot(user);
    if (wanted.join() === user.roles.join()) return null;
    return { changes: { roles: wanted }, events: [userEventTypes.rolesChanged] };
  }
}
