import { Injectable } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { SignOutUser } from '../../auth/commands/sign-out-user.command.js';
import type { BulkContext } from '../../jobs/job-registry.service.js';
import type { UserAction } from '../user-action.types.js';

@Injectable()
export class RevokeSessionsAction implements UserAction {
  readonly name = 'revoke_sessions';
  readonly type = 'users.revoke_sessions';
  readonly permission = 'sessions:revoke';
  readonly takesRole = false;

  constructor(private readonly commands: CommandBus) {}

  async run(id: string, { caller }: BulkContext): Promise<void> {
    await this.commands.execute(new SignOutUser(id, caller));
  }
}
