import { Body, Controller, HttpCode, Post } from '@nestjs/common';
import {
  ApiAcceptedResponse,
  ApiConflictResponse,
  ApiNoContentResponse,
  ApiTags,
  ApiTooManyRequestsResponse,
} from '@nestjs/swagger';
import { Caller } from '../../common/authorization/caller.js';
import { Public, SignedIn } from '../../common/authorization/policy.js';
import type { Principal } from '../../common/authorization/principal.js';
import { ErrorResponse } from '../../common/errors/error.response.js';
import { SignInLimited } from '../../platform/rate-limit/tiers.js';
import { type Client, ClientInfo } from './client.js';
import { ChangeEmailDto } from './dto/change-email.dto.js';
import { EmailDto, TokenDto } from './dto/recovery.dto.js';
import { RecoveryService } from './recovery.service.js';

@ApiTags('auth')
@Controller('api')
export class EmailController {
  constructor(private readonly recovery: RecoveryService) {}

  /** Confirms an address with a mailed token, also the new one of a change. */
  @Post('auth/email/verify')
  @Public()
  @SignInLimited()
  @HttpCode(204)
  @ApiNoContentResponse()
  @ApiConflictResponse({ type: ErrorResponse, description: 'The new address was taken meanwhile' })
  verify(@Body() body: TokenDto): Promise<void> {
    return this.recovery.confirmEmail(body.token);
  }

  /** Mails the token that confirms an address again, if an account needs it: the answer does not tell. */
  @Post('auth/email/resend')
  @Public()
  @SignInLimited()
  @HttpCode(202)
  @ApiAcceptedResponse({ description: 'Always' })
  resend(@Body() body: EmailDto): Promise<void> {
    return this.recovery.resendVerification(body.email);
  }

  /** Asks for another address: it takes effect when the token mailed to it is confirmed. */
  @Post('users/me/email')
  @SignedIn()
  @HttpCode(202)
  @ApiAcceptedResponse({ description: 'Mailed to the new address' })
  @ApiTooManyRequestsResponse({
    type: ErrorResponse,
    description:
      'Five requests within an hour, or too many wrong passwords; the last mailed token stays good',
    headers: { 'Retry-After': { schema: { type: 'integer', minimum: 1 } } },
  })
  changeEmail(
    @Body() body: ChangeEmailDto,
    @Caller() caller: Principal,
    @ClientInfo() client: Client,
  ): Promise<void> {
    return this.recovery.requestEmailChange(caller, body, client);
  }
}
