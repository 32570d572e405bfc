import { Injectable } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { SendPasswordMail } from '../../auth/commands/send-password-mail.command.js';
import type { BulkContext } from '../../jobs/job-registry.service.js';
import type { UserAction } from '../user-action.types.js';

@Injectable()
export class SendResetAction implements UserAction {
  readonly name = 'send_reset';
  readonly type = 'users.send_reset';
  readonly permission = 'users:write';
  readonly takesRole = false;

  constructor(private readonly commands: CommandBus) {}

  async run(id: string, { caller }: BulkContext): Promise<void> {
    await this.commands.execute(new SendPasswordMail(id, 'set-password', caller));
  }
}
