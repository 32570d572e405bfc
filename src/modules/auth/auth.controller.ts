import { Body, Controller, Header, HttpCode, Post, Put } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import {
  ApiConflictResponse,
  ApiNoContentResponse,
  ApiOkResponse,
  ApiTags,
  ApiUnauthorizedResponse,
} from '@nestjs/swagger';
import { Caller } from '../../common/authorization/caller.js';
import { Public, SignedIn } from '../../common/authorization/policy.js';
import type { Principal } from '../../common/authorization/principal.js';
import { ErrorResponse } from '../../common/errors/error.response.js';
import { AnswersTokens } from '../../common/http/answers-tokens.js';
import { SignInLimited } from '../../platform/rate-limit/tiers.js';
import { type Client, ClientInfo } from './client.js';
import { ChangePassword } from './commands/change-password.command.js';
import { EndSession } from './commands/end-session.command.js';
import { RefreshSession } from './commands/refresh-session.command.js';
import { SignIn } from './commands/sign-in.command.js';
import { ChangePasswordDto } from './dto/change-password.dto.js';
import { LoginDto } from './dto/login.dto.js';
import { RefreshDto } from './dto/refresh.dto.js';
import { TokenResponse } from './dto/token.response.js';

@ApiTags('auth')
@Controller('api/auth')
export class AuthController {
  constructor(private readonly commands: CommandBus) {}

  /** Signs in with e-mail and password. */
  @Post('login')
  @Public()
  @SignInLimited()
  @AnswersTokens()
  @HttpCode(200)
  @ApiOkResponse({ type: TokenResponse })
  @ApiUnauthorizedResponse({
    type: ErrorResponse,
    description: 'Wrong password or unknown address: the same answer',
  })
  login(@Body() body: LoginDto, @ClientInfo() client: Client): Promise<TokenResponse> {
    return this.commands.execute(new SignIn(body, client));
  }

  /** Spends a refresh token for a new pair. */
  @Post('refresh')
  @Public()
  @SignInLimited()
  @AnswersTokens()
  @HttpCode(200)
  @ApiOkResponse({ type: TokenResponse })
  @ApiUnauthorizedResponse({
    type: ErrorResponse,
    description: 'Not valid, expired, or spent too long ago: then its session has ended',
  })
  refresh(@Body() body: RefreshDto): Promise<TokenResponse> {
    return this.commands.execute(new RefreshSession(body.refresh_token));
  }

  /** Ends this session: its tokens are dead at once. */
  @Post('logout')
  @SignedIn()
  @HttpCode(204)
  @Header('Clear-Site-Data', '"cache", "storage"')
  @ApiNoContentResponse()
  async logout(@Caller() { sessionId, userId }: Principal): Promise<void> {
    // Of two at once the second finds the session dead already, which is what it asked for.
    await this.commands.execute(new EndSession(sessionId, userId, 'auth.logout'));
  }

  /** Changes the password. Every earlier token of the account is refused; the answer holds new ones. */
  @Put('password')
  @SignedIn()
  @AnswersTokens()
  @ApiOkResponse({ type: TokenResponse })
  @ApiConflictResponse({ type: ErrorResponse, description: 'The password was changed meanwhile' })
  changePassword(
    @Body() body: ChangePasswordDto,
    @Caller() caller: Principal,
    @ClientInfo() client: Client,
  ): Promise<TokenResponse> {
    return this.commands.execute(new ChangePassword(caller, body, client));
  }
}
