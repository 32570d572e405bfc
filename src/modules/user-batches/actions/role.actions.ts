import { Injectable } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { AppError } from '../../../common/errors/app.error.js';
import { Preconditions } from '../../../common/http/preconditions/preconditions.decorator.js';
import type { BulkContext } from '../../jobs/job-registry.service.js';
import { SetRoles } from '../../users/commands/set-roles.command.js';
import { MAX_ROLES_OF_USER } from '../../users/dto/set-roles.dto.js';
import type { UserAction } from '../user-action.types.js';

@Injectable()
export class GrantRoleAction implements UserAction {
  readonly name = 'grant_role';
  readonly type = 'users.grant_role';
  readonly permission = 'roles:grant';
  readonly takesRole = true;

  constructor(private readonly commands: CommandBus) {}

  async run(id: string, { caller, parameters }: BulkContext): Promise<void> {
    const role = String(parameters['role']);
    const granted = (held: readonly string[]) => limitRoles(held.includes(role) ? held : [...held, role]);
    await this.commands.execute(new SetRoles(id, granted, caller, Preconditions.anyVersion));
  }
}

@Injectable()
export class RevokeRoleAction implements UserAction {
  readonly name = 'revoke_role';
  readonly type = 'users.revoke_role';
  readonly permission = 'roles:grant';
  readonly takesRole = true;

  constructor(private readonly commands: CommandBus) {}

  async run(id: string, { caller, parameters }: BulkContext): Promise<void> {
    const role = String(parameters['role']);
    const remaining = (held: readonly string[]) => limitRoles(held.filter((each) => each !== role));
    await this.commands.execute(new SetRoles(id, remaining, caller, Preconditions.anyVersion));
  }
}

/** Returns the roles if their number is within bounds. @throws AppError `CONFLICT` */
function limitRoles(roles: readonly string[]): readonly string[] {
  if (roles.length >= 1 && roles.length <= MAX_ROLES_OF_USER) return roles;
  throw new AppError('CONFLICT', { message: `A user must have 1 to ${MAX_ROLES_OF_USER} roles` });
}
