import { Body, Controller, Header, HttpCode, Post, Put } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import {
  ApiConflictResponse,
  ApiNoContentResponse,
  ApiOkResponse,
  ApiTags,
  ApiUnauthorizedResponse,
} from '@nestjs/swagger';
import { Caller } from '../../common/context/caller.decorator.js';
import { Public, SignedIn } from '../../common/authorization/policy.decorator.js';
import type { Principal } from '../../common/authorization/principal.types.js';
import { Origin } from '../../common/context/origin.decorator.js';
import type { RequestOrigin } from '../../common/context/request-context.js';
import { ErrorResponse } from '../../common/errors/error.response.js';
import { NoStore } from '../../common/http/no-store.decorator.js';
import { ApiPasswordRefusal } from '../../common/validation/text.decorators.js';
import { IgnoresIdempotencyKey } from '../../platform/idempotency/idempotency.decorator.js';
import { SignInLimited } from '../../platform/rate-limit/tier.policy.js';
import { ChangePassword } from './commands/change-password.command.js';
import { EndSession } from './commands/end-session.command.js';
import { RefreshSession } from './commands/refresh-session.command.js';
import { SignIn } from './commands/sign-in.command.js';
import { ChangePasswordDto } from './dto/change-password.dto.js';
import { LoginDto } from './dto/login.dto.js';
import { RefreshDto } from './dto/refresh.dto.js';
import { TokenResponse } from './dto/token.response.js';

@ApiTags('auth')
@IgnoresIdempotencyKey()
@Controller('api/auth')
export class AuthController {
  constructor(private readonly commands: CommandBus) {}

  /** Signs in with an email address and a password. */
  @Post('login')
  @Public()
  @SignInLimited()
  @NoStore()
  @HttpCode(200)
  @ApiOkResponse({ type: TokenResponse })
  @ApiUnauthorizedResponse({
    type: ErrorResponse,
    description: 'The password is wrong or the address is unknown. Both get the same response',
  })
  login(@Body() body: LoginDto, @Origin() origin: RequestOrigin): Promise<TokenResponse> {
    return this.commands.execute(new SignIn(body, origin));
  }

  /** Exchanges a refresh token for a new pair of tokens. */
  @Post('refresh')
  @Public()
  @SignInLimited()
  @NoStore()
  @HttpCode(200)
  @ApiOkResponse({ type: TokenResponse })
  @ApiUnauthorizedResponse({
    type: ErrorResponse,
    description:
      'The token is invalid, expired, or was spent too long ago. Reusing a spent token ends its session',
  })
  refresh(@Body() body: RefreshDto): Promise<TokenResponse> {
    return this.commands.execute(new RefreshSession(body.refresh_token));
  }

  /** Ends the current session. Its tokens are invalid at once. */
  @Post('logout')
  @SignedIn()
  @HttpCode(204)
  @Header('Clear-Site-Data', '"cache", "storage"')
  @ApiNoContentResponse()
  async logout(@Caller() { sessionId, userId }: Principal): Promise<void> {
    // The second of two concurrent requests finds the session ended, which is what it asked for.
    await this.commands.execute(new EndSession(sessionId, userId, 'auth.logout'));
  }

  /** Changes the password and returns new tokens. Every earlier token of the user is refused. */
  @Put('password')
  @SignedIn()
  @NoStore()
  @ApiOkResponse({ type: TokenResponse })
  @ApiPasswordRefusal()
  @ApiConflictResponse({ type: ErrorResponse, description: 'Another request changed the password' })
  changePassword(
    @Body() body: ChangePasswordDto,
    @Caller() caller: Principal,
    @Origin() origin: RequestOrigin,
  ): Promise<TokenResponse> {
    return this.commands.execute(new ChangePassword(caller, body, origin));
  }
}
