import { Controller, HttpCode, Param, Post } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import {
  ApiAcceptedResponse,
  ApiConflictResponse,
  ApiNotFoundResponse,
  ApiTags,
  ApiTooManyRequestsResponse,
} from '@nestjs/swagger';
import { Requires } from '../../../common/authorization/policy.decorator.js';
import type { Principal } from '../../../common/authorization/principal.types.js';
import { Caller } from '../../../common/context/caller.decorator.js';
import { ErrorResponse } from '../../../common/errors/error.response.js';
import { IdPipe } from '../../../common/validation/id.pipe.js';
import { Repeatable } from '../../../platform/idempotency/idempotency.decorator.js';
import { SendPasswordMail } from '../commands/send-password-mail.command.js';

@ApiTags('users')
@Controller('api/users/:id')
export class UserRecoveryController {
  constructor(private readonly commands: CommandBus) {}

  /** Mails another user a link and a code to set a new password. The current password works until the user sets a new one. */
  @Post('password-reset')
  @Repeatable()
  @Requires('users:write')
  @HttpCode(202)
  @ApiAcceptedResponse({ description: 'A link and a code were mailed to the user' })
  @ApiNotFoundResponse({ type: ErrorResponse, description: 'The user does not exist' })
  @ApiConflictResponse({ type: ErrorResponse, description: 'The user is disabled or deleted' })
  @ApiTooManyRequestsResponse({
    type: ErrorResponse,
    description: 'More than five such mails to the user within an hour, or too many requests',
    headers: { 'Retry-After': { schema: { type: 'integer', minimum: 1 } } },
  })
  async sendPasswordReset(@Param('id', IdPipe) id: string, @Caller() caller: Principal): Promise<void> {
    await this.commands.execute(new SendPasswordMail(id, 'set-password', caller));
  }
}
