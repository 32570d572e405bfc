import { Injectable } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import type { BulkContext } from '../../jobs/job-registry.service.js';
import { UpdateUser } from '../../users/commands/update-user.command.js';
import type { UserAction } from '../user-action.types.js';

@Injectable()
export class EnableUsersAction implements UserAction {
  readonly name = 'enable';
  readonly type = 'users.enable';
  readonly permission = 'users:write';
  readonly takesRole = false;

  constructor(private readonly commands: CommandBus) {}

  async run(id: string, { caller }: BulkContext): Promise<void> {
    await this.commands.execute(new UpdateUser(id, { status: 'active' }, caller, null));
  }
}

@Injectable()
export class DisableUsersAction implements UserAction {
  readonly name = 'disable';
  readonly type = 'users.disable';
  readonly permission = 'users:write';
  readonly takesRole = false;

  constructor(private readonly commands: CommandBus) {}

  async run(id: string, { caller }: BulkContext): Promise<void> {
    await this.commands.execute(new UpdateUser(id, { status: 'disabled' }, caller, null));
  }
}
