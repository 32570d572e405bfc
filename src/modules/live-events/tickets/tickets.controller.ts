import { Controller, HttpCode, Post, Req } from '@nestjs/common';
import { ApiOkResponse, ApiTags } from '@nestjs/swagger';
import type { Request } from 'express';
import { SignedIn } from '../../../common/authorization/policy.decorator.js';
import { bearerToken, unauthorized } from '../../../common/http/bearer-token.js';
import { NoStore } from '../../../common/http/no-store.decorator.js';
import { IgnoresIdempotencyKey } from '../../../platform/idempotency/idempotency.decorator.js';
import { SessionWatchService } from '../../auth/principals/session-watch.service.js';
import { TicketResponse } from './dto/ticket.response.js';
import { TICKET_SECONDS, TicketsService } from './tickets.service.js';

@ApiTags('events')
@Controller('api/notifications')
export class TicketsController {
  constructor(
    private readonly tickets: TicketsService,
    private readonly sessions: SessionWatchService,
  ) {}

  /** Issues a ticket with which a browser opens a WebSocket at /ws within 30 seconds. */
  @Post('tickets')
  @HttpCode(200)
  @SignedIn()
  @NoStore()
  @IgnoresIdempotencyKey()
  @ApiOkResponse({ type: TicketResponse })
  async issueTicket(@Req() request: Request): Promise<TicketResponse> {
    const session = this.sessions.sessionOf(bearerToken(request) ?? '');
    if (!session) throw unauthorized('expired');
    return { ticket: await this.tickets.issue(session), expires_in: TICKET_SECONDS };
  }
}
