import { Body, Controller, Delete, Get, HttpCode, Param, Post, Query, Req, Res } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import {
  ApiConflictResponse,
  ApiCreatedResponse,
  ApiForbiddenResponse,
  ApiNoContentResponse,
  ApiNotFoundResponse,
  ApiOkResponse,
  ApiTags,
} from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { Caller } from '../../common/context/caller.decorator.js';
import { SignedIn } from '../../common/authorization/policy.decorator.js';
import type { Principal } from '../../common/authorization/principal.types.js';
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
import { sendPage } from '../../common/pagination/page.js';
import { IdPipe } from '../../common/validation/id.pipe.js';
import { CreateResource } from './commands/create-resource.command.js';
import { DeleteResource } from './commands/delete-resource.command.js';
import { TransferResources } from './commands/transfer-resources.command.js';
import { CreateResourceDto } from './dto/create-resource.dto.js';
import { ListResourcesDto } from './dto/list-resources.dto.js';
import { ResourceResponse, toResourceResponse } from './dto/resource.response.js';
import { TransferResourcesDto } from './dto/transfer-resources.dto.js';
import { TransferResponse } from './dto/transfer.response.js';
import { ResourcesService } from './resources.service.js';
import { Repeatable } from '../../platform/idempotency/idempotency.decorator.js';

@ApiTags('resources')
@Controller('api/resources')
@SignedIn()
export class ResourcesController {
  constructor(
    private readonly commands: CommandBus,
    private readonly resources: ResourcesService,
  ) {}

  /** Creates a resource owned by the caller. */
  @Post()
  @Repeatable()
  @Versioned()
  @ApiCreatedResponse({ type: ResourceResponse, headers: { Location: { schema: { type: 'string' } } } })
  async createResource(
    @Body() body: CreateResourceDto,
    @Caller() caller: Principal,
    @Res({ passthrough: true }) response: Response,
  ): Promise<ResourceResponse> {
    const resource = toResourceResponse(await this.commands.execute(new CreateResource(body, caller)));
    response.location(`/api/resources/${resource.id}`);
    return resource;
  }

  /** Lists the caller's resources, oldest first. Callers with `resources:transfer` see the resources of all users. */
  @Get()
  @ApiPage(ResourceResponse)
  @ApiForbiddenResponse({
    type: ErrorResponse,
    description: `The resources of another user require \`resources:transfer\``,
  })
  async listResources(
    @Query() query: ListResourcesDto,
    @Caller() caller: Principal,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<ResourceResponse[]> {
    const page = await this.resources.list(query, caller);
    return sendPage(page, request, response).map(toResourceResponse);
  }

  /** Returns one resource. The resource of another user is visible only with `resources:transfer`. */
  @Get(':id')
  @ConditionalGet()
  @ApiOkResponse({ type: ResourceResponse })
  async readResource(
    @Param('id', IdPipe) id: string,
    @Caller() caller: Principal,
  ): Promise<ResourceResponse> {
    return toResourceResponse(await this.resources.get(id, caller));
  }

  /** Deletes a resource permanently. A caller with `resources:transfer` may delete any, because the caller could also take it over. */
  @Delete(':id')
  @HttpCode(204)
  @ApiPreconditions()
  @ApiNoContentResponse()
  async deleteResource(
    @Param('id', IdPipe) id: string,
    @Caller() caller: Principal,
    @WritePreconditions() condition: Preconditions | null,
  ): Promise<void> {
    await this.commands.execute(new DeleteResource(id, caller, condition));
  }

  /** Transfers resources to another user, all or none. */
  @Post('transfer')
  @Repeatable()
  @HttpCode(200)
  @ApiOkResponse({ type: TransferResponse })
  @ApiForbiddenResponse({
    type: ErrorResponse,
    description: 'Transferring the resources of another user requires `resources:transfer`',
  })
  @ApiNotFoundResponse({
    type: ErrorResponse,
    description: 'The giver or the receiver is not an active user',
  })
  @ApiConflictResponse({
    type: ErrorResponse,
    description: `A resource does not exist or does not belong to the giver. Nothing was transferred`,
  })
  async transferResources(
    @Body() body: TransferResourcesDto,
    @Caller() caller: Principal,
  ): Promise<TransferResponse> {
    const { count, eventId } = await this.commands.execute(new TransferResources(body, caller));
    return { transferred: count, event_id: eventId };
  }
}
