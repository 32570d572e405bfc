import { Controller, Get, Req, Res } from '@nestjs/common';
import { ApiForbiddenResponse, ApiResponse, ApiTags, ApiUnauthorizedResponse } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { Public } from '../../../common/authorization/policy.decorator.js';
import { ErrorResponse } from '../../../common/errors/error.response.js';
import { AcceptsUpgrades } from '../../../platform/http/server/upgrades.js';
import { SocketServer } from './socket.server.js';

@ApiTags('events')
@Controller()
export class SocketsController {
  constructor(private readonly sockets: SocketServer) {}

  /**
   * Opens a WebSocket that sends the caller's events as they happen (subprotocol `gatehouse.v1`). The access token travels in
   * `Authorization`; a browser offers the second subprotocol `ticket.<ticket>` with a ticket instead. The guide describes
   * the messages and the codes with which the service closes the socket.
   */
  @Get('ws')
  @Public()
  @AcceptsUpgrades()
  @ApiResponse({ status: 101, description: 'The connection is now a WebSocket' })
  @ApiUnauthorizedResponse({
    type: ErrorResponse,
    description: 'The access token or the ticket is missing or invalid',
  })
  @ApiForbiddenResponse({ type: ErrorResponse, description: 'Pages of this origin may not open a WebSocket' })
  @ApiResponse({ status: 426, type: ErrorResponse, description: 'The client does not ask for a WebSocket' })
  async openSocket(@Req() request: Request, @Res() response: Response): Promise<void> {
    await this.sockets.open(request, response);
  }
}
