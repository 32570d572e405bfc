import { Injectable } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import type { BulkContext } from '../../jobs/job-kinds.service.js';
import { UpdateUser } from '../../users/commands/update-user.command.js';
import type { UserAction } from '../user-action.js';

@Injectable()
export class EnableUsers implements UserAction {
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
export class DisableUsers implements UserAction {
  readonly name = 'disable';
  readonly type = 'users.disable';
  readonly permission = 'users:write';
  readonly takesRole = false;

  constructor(private readonly commands: CommandBus) {}

  async run(id: string, { caller }: BulkContext): Promise<void> {
    await this.commands.execute(new UpdateUser(id, { status: 'disabled' }, caller, null));
  }
}
