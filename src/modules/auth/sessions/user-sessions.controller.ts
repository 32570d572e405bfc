import { Controller, Delete, Get, HttpCode, Param, Query, Req, Res } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { ApiNoContentResponse, ApiNotFoundResponse, ApiParam, ApiTags } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { Caller } from '../../../common/context/caller.decorator.js';
import { Requires } from '../../../common/authorization/policy.decorator.js';
import type { Principal } from '../../../common/authorization/principal.types.js';
import { ErrorResponse } from '../../../common/errors/error.response.js';
import { ApiPage } from '../../../common/pagination/api-page.decorator.js';
import { PageQuery } from '../../../common/pagination/page-query.dto.js';
import { sendPage } from '../../../common/pagination/page.js';
import { IdPipe } from '../../../common/validation/id.pipe.js';
import { UsersService } from '../../users/users.service.js';
import { SignOutUser } from '../commands/sign-out-user.command.js';
import { SessionResponse, toSessionResponse } from '../dto/session.response.js';
import { SessionsService } from './sessions.service.js';

@ApiTags('auth')
@Controller('api/users/:id/sessions')
export class UserSessionsController {
  constructor(
    private readonly commands: CommandBus,
    private readonly sessions: SessionsService,
    private readonly users: UsersService,
  ) {}

  /** Lists the sessions of another user. */
  @Get()
  @Requires('sessions:revoke')
  @ApiPage(SessionResponse)
  @ApiNotFoundResponse({ type: ErrorResponse, description: 'The user does not exist' })
  async listUserSessions(
    @Param('id', IdPipe) id: string,
    @Query() query: PageQuery,
    @Caller() caller: Principal,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<SessionResponse[]> {
    await this.users.get(id, caller);
    const page = await this.sessions.list(id, query);
    return sendPage(page, request, response).map((session) => toSessionResponse(session, caller.sessionId));
  }

  /** Ends every session of another user. */
  @Delete()
  @Requires('sessions:revoke')
  @HttpCode(204)
  @ApiNoContentResponse()
  @ApiNotFoundResponse({ type: ErrorResponse, description: 'The user does not exist' })
  async endUserSessions(@Param('id', IdPipe) id: string, @Caller() caller: Principal): Promise<void> {
    await this.commands.execute(new SignOutUser(id, caller));
  }

  /** Ends one session of another user. */
  @Delete(':session_id')
  @Requires('sessions:revoke')
  @HttpCode(204)
  @ApiParam({ name: 'session_id', schema: { type: 'string', format: 'uuid' } })
  @ApiNoContentResponse()
  @ApiNotFoundResponse({
    type: ErrorResponse,
    description: 'The user does not exist, or the session has ended or belongs to another user',
  })
  async endUserSession(
    @Param('id', IdPipe) id: string,
    @Param('session_id', IdPipe) sessionId: string,
    @Caller() caller: Principal,
  ): Promise<void> {
    await this.commands.execute(new SignOutUser(id, caller, sessionId));
  }
}
