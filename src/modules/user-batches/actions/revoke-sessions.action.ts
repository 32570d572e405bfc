import { Injectable } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { EndSessions } from '../../auth/commands/end-sessions.command.js';
import type { BulkContext } from '../../jobs/job-kinds.service.js';
import { UsersService } from '../../users/users.service.js';
import type { UserAction } from '../user-action.js';

@Injectable()
export class RevokeSessions implements UserAction {
  readonly name = 'revoke_sessions';
  readonly type = 'users.revoke_sessions';
  readonly permission = 'sessions:revoke';
  readonly takesRole = false;

  constructor(
    private readonly commands: CommandBus,
    private readonly users: UsersService,
  ) {}

  async run(id: string, { caller }: BulkContext): Promise<void> {
    await this.users.get(id, caller);
    await this.commands.execute(new EndSessions(id, null, 'session.revoke'));
  }
}
