import { Body, Controller, HttpCode, Post } from '@nestjs/common';
import {
  ApiAcceptedResponse,
  ApiConflictResponse,
  ApiNoContentResponse,
  ApiTags,
  ApiTooManyRequestsResponse,
} from '@nestjs/swagger';
import { Caller } from '../../../common/context/caller.decorator.js';
import { Public, SignedIn } from '../../../common/authorization/policy.decorator.js';
import type { Principal } from '../../../common/authorization/principal.types.js';
import { Origin } from '../../../common/context/origin.decorator.js';
import type { RequestOrigin } from '../../../common/context/request-context.js';
import { ErrorResponse } from '../../../common/errors/error.response.js';
import { IgnoresIdempotencyKey, Repeatable } from '../../../platform/idempotency/idempotency.decorator.js';
import { SignInLimited } from '../../../platform/rate-limit/tier.policy.js';
import { ChangeEmailDto } from '../dto/change-email.dto.js';
import { EmailDto, TokenDto } from '../dto/recovery.dto.js';
import { RecoveryService } from './recovery.service.js';

@ApiTags('auth')
@Controller('api')
export class EmailController {
  constructor(private readonly recovery: RecoveryService) {}

  /** Confirms an address with a mailed token, including the new address of a change. */
  @Post('auth/email/verify')
  @Public()
  @SignInLimited()
  @IgnoresIdempotencyKey()
  @HttpCode(204)
  @ApiNoContentResponse()
  @ApiConflictResponse({ type: ErrorResponse, description: 'Another user has taken the new address' })
  verifyEmail(@Body() body: TokenDto): Promise<void> {
    return this.recovery.confirmEmail(body.token);
  }

  /** Mails the confirmation token again if a user needs it. The response is the same for any address. */
  @Post('auth/email/resend')
  @Public()
  @SignInLimited()
  @IgnoresIdempotencyKey()
  @HttpCode(202)
  @ApiAcceptedResponse({ description: 'The same response for every address' })
  resendVerification(@Body() body: EmailDto): Promise<void> {
    return this.recovery.resendVerification(body.email);
  }

  /** Requests a change of address. It takes effect when the token mailed to the new address is confirmed. */
  @Post('users/me/email')
  @Repeatable()
  @SignedIn()
  @HttpCode(202)
  @ApiAcceptedResponse({ description: 'A token was mailed to the new address' })
  @ApiTooManyRequestsResponse({
    type: ErrorResponse,
    description:
      'More than five requests within an hour, or too many wrong passwords. The last mailed token stays valid',
    headers: { 'Retry-After': { schema: { type: 'integer', minimum: 1 } } },
  })
  changeEmail(
    @Body() body: ChangeEmailDto,
    @Caller() caller: Principal,
    @Origin() origin: RequestOrigin,
  ): Promise<void> {
    return this.recovery.requestEmailChange(caller, body, origin);
  }
}
