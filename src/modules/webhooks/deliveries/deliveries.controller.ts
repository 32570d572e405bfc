import { Body, Controller, Get, HttpCode, Param, Post, Query, Req, Res } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { ApiAcceptedResponse, ApiConflictResponse, ApiNotFoundResponse, ApiTags } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { Requires, RequiresAllOf } from '../../../common/authorization/policy.decorator.js';
import { ErrorResponse } from '../../../common/errors/error.response.js';
import { ApiPage } from '../../../common/pagination/api-page.decorator.js';
import { sendPage } from '../../../common/pagination/page.js';
import { IdPipe } from '../../../common/validation/id.pipe.js';
import { BehindFlag } from '../../../platform/feature-flags/behind-flag.decorator.js';
import { Repeatable } from '../../../platform/idempotency/idempotency.decorator.js';
import { SendTestEvent } from '../commands/send-test-event.command.js';
import { DeliveryResponse } from '../dto/delivery.response.js';
import { ListDeliveriesDto } from '../dto/list-deliveries.dto.js';
import { ReplayDto, ReplayResponse } from '../dto/replay.dto.js';
import { webhooksFlag } from '../webhooks.flags.js';
import { DeliveriesService } from './deliveries.service.js';
import { ReplaysService } from './replays.service.js';

@ApiTags('webhooks')
@BehindFlag(webhooksFlag)
@Controller('api/webhooks/:id')
export class DeliveriesController {
  constructor(
    private readonly commands: CommandBus,
    private readonly deliveries: DeliveriesService,
    private readonly replays: ReplaysService,
  ) {}

  /** Lists the deliveries of a webhook, newest first, with their attempts. They are kept for 30 days. */
  @Get('deliveries')
  @Requires('webhooks:manage')
  @ApiPage(DeliveryResponse)
  @ApiNotFoundResponse({ type: ErrorResponse })
  async listDeliveries(
    @Param('id', IdPipe) id: string,
    @Query() query: ListDeliveriesDto,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<readonly DeliveryResponse[]> {
    return sendPage(await this.deliveries.list(id, query), request, response);
  }

  /** Sends a delivery again, also a dead one. It takes its place in the order of the events that wait. */
  @Post('deliveries/:delivery_id/redeliver')
  @Repeatable()
  @RequiresAllOf('webhooks:manage', 'events:read')
  @HttpCode(202)
  @ApiAcceptedResponse({ type: DeliveryResponse })
  @ApiNotFoundResponse({ type: ErrorResponse })
  redeliverEvent(
    @Param('id', IdPipe) id: string,
    @Param('delivery_id', IdPipe) deliveryId: string,
  ): Promise<DeliveryResponse> {
    return this.deliveries.redeliver(id, deliveryId);
  }

  /** Delivers the events of a range of time again, in their order and of the types of the webhook. */
  @Post('replay')
  @Repeatable()
  @RequiresAllOf('webhooks:manage', 'events:read')
  @HttpCode(202)
  @ApiAcceptedResponse({ type: ReplayResponse })
  @ApiNotFoundResponse({ type: ErrorResponse })
  @ApiConflictResponse({ type: ErrorResponse, description: 'Too many replays are unfinished' })
  async replayEvents(@Param('id', IdPipe) id: string, @Body() body: ReplayDto): Promise<ReplayResponse> {
    const { from, to } = await this.replays.request(id, body);
    return { from: from.toISOString(), to: to.toISOString() };
  }

  /** Sends an event of the type webhook.test to this webhook alone, whatever its types. */
  @Post('test')
  @Repeatable()
  @RequiresAllOf('webhooks:manage', 'events:read')
  @HttpCode(202)
  @ApiAcceptedResponse({ type: DeliveryResponse })
  @ApiNotFoundResponse({ type: ErrorResponse })
  async testWebhook(@Param('id', IdPipe) id: string): Promise<DeliveryResponse> {
    return this.deliveries.describe(await this.commands.execute(new SendTestEvent(id)));
  }
}
