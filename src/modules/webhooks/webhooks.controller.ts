import { Body, Controller, Delete, Get, HttpCode, Param, Patch, Post, Query, Req, Res } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import {
  ApiConflictResponse,
  ApiCreatedResponse,
  ApiNoContentResponse,
  ApiNotFoundResponse,
  ApiOkResponse,
  ApiTags,
} from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { Requires, RequiresAllOf } from '../../common/authorization/policy.decorator.js';
import { NoStore } from '../../common/http/no-store.decorator.js';
import { ErrorResponse } from '../../common/errors/error.response.js';
import {
  type Preconditions,
  WritePreconditions,
} from '../../common/http/preconditions/preconditions.decorator.js';
import {
  ApiPreconditions,
  ConditionalGet,
  Versioned,
} from '../../common/http/preconditions/versioned.decorator.js';
import { ApiPage } from '../../common/pagination/api-page.decorator.js';
import { PageQuery } from '../../common/pagination/page-query.dto.js';
import { sendPage } from '../../common/pagination/page.js';
import { IdPipe } from '../../common/validation/id.pipe.js';
import { BehindFlag } from '../../platform/feature-flags/behind-flag.decorator.js';
import { Repeatable } from '../../platform/idempotency/idempotency.decorator.js';
import { UpdateWebhook } from './commands/update-webhook.command.js';
import { CreateWebhookDto } from './dto/create-webhook.dto.js';
import { UpdateWebhookDto } from './dto/update-webhook.dto.js';
import {
  toWebhookResponse,
  toWebhookWithSecretResponse,
  WebhookResponse,
  WebhookWithSecretResponse,
} from './dto/webhook.response.js';
import { webhooksFlag } from './webhooks.flags.js';
import { WebhooksService } from './webhooks.service.js';

@ApiTags('webhooks')
@BehindFlag(webhooksFlag)
@Controller('api/webhooks')
export class WebhooksController {
  constructor(
    private readonly commands: CommandBus,
    private readonly webhooks: WebhooksService,
  ) {}

  /**
   * Creates a webhook, which receives the events of these types from now on. The response shows the secret that signs
   * them, and no other response does.
   */
  @Post()
  @NoStore()
  @Repeatable()
  @RequiresAllOf('webhooks:manage', 'events:read')
  @Versioned()
  @ApiCreatedResponse({
    type: WebhookWithSecretResponse,
    headers: { Location: { schema: { type: 'string' } } },
  })
  @ApiConflictResponse({ type: ErrorResponse, description: 'Too many webhooks exist' })
  async createWebhook(
    @Body() body: CreateWebhookDto,
    @Res({ passthrough: true }) response: Response,
  ): Promise<WebhookWithSecretResponse> {
    const { webhook, secret } = await this.webhooks.create(body);
    const made = toWebhookWithSecretResponse(webhook, secret);
    response.location(`/api/webhooks/${made.id}`);
    return made;
  }

  /** Lists webhooks, oldest first. */
  @Get()
  @Requires('webhooks:manage')
  @ApiPage(WebhookResponse)
  async listWebhooks(
    @Query() query: PageQuery,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<WebhookResponse[]> {
    return sendPage(await this.webhooks.list(query), request, response).map(toWebhookResponse);
  }

  /** Returns one webhook. */
  @Get(':id')
  @Requires('webhooks:manage')
  @ConditionalGet()
  @ApiOkResponse({ type: WebhookResponse })
  @ApiNotFoundResponse({ type: ErrorResponse })
  async readWebhook(@Param('id', IdPipe) id: string): Promise<WebhookResponse> {
    return toWebhookResponse(await this.webhooks.get(id));
  }

  /** Changes, pauses or continues a webhook. Instances other than the one that answers follow within a second. */
  @Patch(':id')
  @RequiresAllOf('webhooks:manage', 'events:read')
  @Versioned()
  @ApiPreconditions()
  @ApiOkResponse({ type: WebhookResponse })
  @ApiNotFoundResponse({ type: ErrorResponse })
  async updateWebhook(
    @Param('id', IdPipe) id: string,
    @Body() body: UpdateWebhookDto,
    @WritePreconditions() condition: Preconditions | null,
  ): Promise<WebhookResponse> {
    return toWebhookResponse(await this.commands.execute(new UpdateWebhook(id, body, condition)));
  }

  /** Deletes a webhook with its deliveries. Those that wait are not sent any more. */
  @Delete(':id')
  @Requires('webhooks:manage')
  @HttpCode(204)
  @ApiPreconditions()
  @ApiNoContentResponse()
  @ApiNotFoundResponse({ type: ErrorResponse })
  deleteWebhook(
    @Param('id', IdPipe) id: string,
    @WritePreconditions() condition: Preconditions | null,
  ): Promise<void> {
    return this.webhooks.delete(id, condition);
  }

  /** Makes a new secret, which the response shows. For 24 hours deliveries carry a signature of the former one too. */
  @Post(':id/rotate-secret')
  @NoStore()
  @Repeatable()
  @RequiresAllOf('webhooks:manage', 'events:read')
  @HttpCode(200)
  @Versioned()
  @ApiPreconditions()
  @ApiOkResponse({ type: WebhookWithSecretResponse })
  @ApiNotFoundResponse({ type: ErrorResponse })
  @ApiConflictResponse({ type: ErrorResponse, description: 'Too many former secrets still sign' })
  async rotateWebhookSecret(
    @Param('id', IdPipe) id: string,
    @WritePreconditions() condition: Preconditions | null,
  ): Promise<WebhookWithSecretResponse> {
    const { webhook, secret } = await this.webhooks.rotateSecret(id, condition);
    return toWebhookWithSecretResponse(webhook, secret);
  }
}
