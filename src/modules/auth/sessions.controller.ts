import { Controller, Delete, Get, HttpCode, Param, Query, Req, Res } from '@nestjs/common';
import { ApiNoContentResponse, ApiNotFoundResponse, ApiTags } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { Caller } from '../../common/authorization/caller.js';
import { SignedIn } from '../../common/authorization/policy.js';
import type { Principal } from '../../common/authorization/principal.js';
import { ErrorResponse } from '../../common/errors/error.response.js';
import { ApiPage } from '../../common/pagination/api-page.js';
import { PageQuery } from '../../common/pagination/page-query.dto.js';
import { sendPage } from '../../common/pagination/page.js';
import { IdPipe } from '../../common/validation/id.pipe.js';
import { SessionResponse, toSessionResponse } from './dto/session.response.js';
import { SessionsService } from './sessions.service.js';

@ApiTags('auth')
@Controller('api/auth/sessions')
export class SessionsController {
  constructor(private readonly sessions: SessionsService) {}

  /** Where the caller is signed in. */
  @Get()
  @SignedIn()
  @ApiPage(SessionResponse)
  async list(
    @Query() query: PageQuery,
    @Caller() caller: Principal,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<SessionResponse[]> {
    const page = await this.sessions.list(caller.userId, query);
    return sendPage(page, request, response).map((session) => toSessionResponse(session, caller.sessionId));
  }

  /** Ends one session of the caller's. */
  @Delete(':id')
  @SignedIn()
  @HttpCode(204)
  @ApiNoContentResponse()
  @ApiNotFoundResponse({ type: ErrorResponse, description: 'Not there, ended, or of another account' })
  end(@Param('id', IdPipe) id: string, @Caller() caller: Principal): Promise<void> {
    return this.sessions.end(id, caller.userId);
  }

  /** Ends every session of the caller's but this one. */
  @Delete()
  @SignedIn()
  @HttpCode(204)
  @ApiNoContentResponse()
  endOthers(@Caller() caller: Principal): Promise<void> {
    return this.sessions.endAll(caller.userId, caller.sessionId);
  }
}
