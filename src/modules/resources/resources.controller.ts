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
import { Caller } from '../../common/authorization/caller.js';
import { SignedIn } from '../../common/authorization/policy.js';
import type { Principal } from '../../common/authorization/principal.js';
import { ErrorResponse } from '../../common/errors/error.response.js';
import { type Preconditions, WritePreconditions } from '../../common/http/preconditions.js';
import { ApiPreconditions, ConditionalGet, Versioned } from '../../common/http/versioned.interceptor.js';
import { ApiPage } from '../../common/pagination/api-page.js';
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

@ApiTags('resources')
@Controller('api/resources')
@SignedIn()
export class ResourcesController {
  constructor(
    private readonly commands: CommandBus,
    private readonly resources: ResourcesService,
  ) {}

  /** Makes a resource that the caller owns. */
  @Post()
  @Versioned()
  @ApiCreatedResponse({ type: ResourceResponse, headers: { Location: { schema: { type: 'string' } } } })
  async create(
    @Body() body: CreateResourceDto,
    @Caller() caller: Principal,
    @Res({ passthrough: true }) response: Response,
  ): Promise<ResourceResponse> {
    const resource = toResourceResponse(await this.commands.execute(new CreateResource(body, caller)));
    response.location(`/api/resources/${resource.id}`);
    return resource;
  }

  /** Lists the caller's resources, oldest first; with `resources:transfer` everybody's. */
  @Get()
  @ApiPage(ResourceResponse)
  @ApiForbiddenResponse({ type: ErrorResponse, description: `Another's need \`resources:transfer\`` })
  async list(
    @Query() query: ListResourcesDto,
    @Caller() caller: Principal,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<ResourceResponse[]> {
    const page = await this.resources.list(query, caller);
    return sendPage(page, request, response).map(toResourceResponse);
  }

  /** One resource. Another's is there only with `resources:transfer`. */
  @Get(':id')
  @ConditionalGet()
  @ApiOkResponse({ type: ResourceResponse })
  async read(@Param('id', IdPipe) id: string, @Caller() caller: Principal): Promise<ResourceResponse> {
    return toResourceResponse(await this.resources.get(id, caller));
  }

  /** Deletes a resource, for good. Who holds `resources:transfer` could take any, and so deletes any. */
  @Delete(':id')
  @HttpCode(204)
  @ApiPreconditions()
  @ApiNoContentResponse()
  async delete(
    @Param('id', IdPipe) id: string,
    @Caller() caller: Principal,
    @WritePreconditions() condition: Preconditions | null,
  ): Promise<void> {
    await this.commands.execute(new DeleteResource(id, caller, condition));
  }

  /** Hands resources on to another account: all of them, or none. */
  @Post('transfer')
  @HttpCode(200)
  @ApiOkResponse({ type: TransferResponse })
  @ApiForbiddenResponse({
    type: ErrorResponse,
    description: 'To give for another account needs `resources:transfer`',
  })
  @ApiNotFoundResponse({ type: ErrorResponse, description: 'The giver or the receiver is no active account' })
  @ApiConflictResponse({
    type: ErrorResponse,
    description: `A resource is not there or not the giver's: nothing has moved`,
  })
  async transfer(@Body() body: TransferResourcesDto, @Caller() caller: Principal): Promise<TransferResponse> {
    const { count, eventId } = await this.commands.execute(new TransferResources(body, caller));
    return { transferred: count, event_id: eventId };
  }
}
