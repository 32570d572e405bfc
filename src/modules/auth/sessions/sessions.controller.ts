import { Controller, Delete, Get, HttpCode, Param, Query, Req, Res } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { ApiNoContentResponse, ApiNotFoundResponse, ApiTags } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { Caller } from '../../../common/context/caller.decorator.js';
import { SignedIn } from '../../../common/authorization/policy.decorator.js';
import type { Principal } from '../../../common/authorization/principal.types.js';
import { AppError } from '../../../common/errors/app.error.js';
import { ErrorResponse } from '../../../common/errors/error.response.js';
import { ApiPage } from '../../../common/pagination/api-page.decorator.js';
import { PageQuery } from '../../../common/pagination/page-query.dto.js';
import { sendPage } from '../../../common/pagination/page.js';
import { IdPipe } from '../../../common/validation/id.pipe.js';
import { EndSession } from '../commands/end-session.command.js';
import { EndSessions } from '../commands/end-sessions.command.js';
import { SessionResponse, toSessionResponse } from '../dto/session.response.js';
import { SessionsService } from './sessions.service.js';

@ApiTags('auth')
@Controller('api/auth/sessions')
export class SessionsController {
  constructor(
    private readonly commands: CommandBus,
    private readonly sessions: SessionsService,
  ) {}

  /** Lists the caller's sessions. */
  @Get()
  @SignedIn()
  @ApiPage(SessionResponse)
  async listSessions(
    @Query() query: PageQuery,
    @Caller() caller: Principal,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<SessionResponse[]> {
    const page = await this.sessions.list(caller.userId, query);
    return sendPage(page, request, response).map((session) => toSessionResponse(session, caller.sessionId));
  }

  /** Ends one of the caller's sessions. */
  @Delete(':id')
  @SignedIn()
  @HttpCode(204)
  @ApiNoContentResponse()
  @ApiNotFoundResponse({
    type: ErrorResponse,
    description: 'The session does not exist, has ended, or belongs to another user',
  })
  async endSession(@Param('id', IdPipe) id: string, @Caller() { userId }: Principal): Promise<void> {
    const ended = await this.commands.execute(new EndSession(id, userId, 'session.revoke'));
    if (!ended) throw new AppError('NOT_FOUND', { denied: true });
  }

  /** Ends all of the caller's sessions except the current one. */
  @Delete()
  @SignedIn()
  @HttpCode(204)
  @ApiNoContentResponse()
  endOtherSessions(@Caller() caller: Principal): Promise<void> {
    return this.commands.execute(new EndSessions(caller.userId, caller.sessionId, 'session.revoke'));
  }
}
