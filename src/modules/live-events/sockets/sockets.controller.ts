import { Controller, Get, Req, Res } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { Public } from '../../../common/authorization/policy.decorator.js';
import { AcceptsUpgrades } from '../../../platform/http/server/upgrades.js';
import { LimitedLate } from '../../../platform/rate-limit/tier.policy.js';
import { SocketServer } from './socket.server.js';

/** Not in the OpenAPI document, which has no form for a WebSocket. The description of the tag `events` points to it. */
@ApiExcludeController()
@Controller()
export class SocketsController {
  constructor(private readonly sockets: SocketServer) {}

  /** Opens a WebSocket. The route is public for the gate only: the server checks the token or the ticket. */
  @Get('ws')
  @Public()
  @LimitedLate()
  @AcceptsUpgrades()
  async openSocket(@Req() request: Request, @Res() response: Response): Promise<void> {
    await this.sockets.open(request, response);
  }
}
