import { Body, Controller, HttpCode, Post } from '@nestjs/common';
import { ApiAcceptedResponse, ApiConflictResponse, ApiNoContentResponse, ApiTags } from '@nestjs/swagger';
import { Public } from '../../../common/authorization/policy.decorator.js';
import { ErrorResponse } from '../../../common/errors/error.response.js';
import { IgnoresIdempotencyKey } from '../../../platform/idempotency/idempotency.decorator.js';
import { SignInLimited } from '../../../platform/rate-limit/tier.policy.js';
import { EmailDto, ResetPasswordDto } from '../dto/recovery.dto.js';
import { RecoveryService } from './recovery.service.js';

@ApiTags('auth')
@IgnoresIdempotencyKey()
@Controller('api/auth/password')
export class RecoveryController {
  constructor(private readonly recovery: RecoveryService) {}

  /**
   * Mails a token to set a new password if a user has this address. The response is the same for any address.
   */
  @Post('forgot')
  @Public()
  @SignInLimited()
  @HttpCode(202)
  @ApiAcceptedResponse({ description: 'The same response for every address' })
  forgotPassword(@Body() body: EmailDto): Promise<void> {
    return this.recovery.forgotPassword(body.email);
  }

  /** Sets a new password with a mailed token and ends every session of the user. */
  @Post('reset')
  @Public()
  @SignInLimited()
  @HttpCode(204)
  @ApiNoContentResponse()
  @ApiConflictResponse({ type: ErrorResponse, description: 'Another request changed the password' })
  resetPassword(@Body() body: ResetPasswordDto): Promise<void> {
    return this.recovery.resetPassword(body.token, body.new_password);
  }
}
