import { Injectable } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import type { BulkContext } from '../../jobs/job-registry.service.js';
import { DeleteUser } from '../../users/commands/delete-user.command.js';
import { RestoreUser } from '../../users/commands/restore-user.command.js';
import type { UserAction } from '../user-action.types.js';

@Injectable()
export class DeleteUsersAction implements UserAction {
  readonly name = 'delete';
  readonly type = 'users.delete';
  readonly permission = 'users:delete';
  readonly takesRole = false;

  constructor(private readonly commands: CommandBus) {}

  async run(id: string, { caller }: BulkContext): Promise<void> {
    await this.commands.execute(new DeleteUser(id, caller, null));
  }
}

@Injectable()
export class RestoreUsersAction implements UserAction {
  readonly name = 'restore';
  readonly type = 'users.restore';
  readonly permission = 'users:delete';
  readonly takesRole = false;

  constructor(private readonly commands: CommandBus) {}

  async run(id: string, { caller }: BulkContext): Promise<void> {
    await this.commands.execute(new RestoreUser(id, caller));
  }
}
