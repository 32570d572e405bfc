import {
  Body,
  Controller,
  Delete,
  Get,
  HttpCode,
  Param,
  Patch,
  Post,
  Put,
  Query,
  Req,
  Res,
} from '@nestjs/common';
import {
  ApiConflictResponse,
  ApiCreatedResponse,
  ApiNoContentResponse,
  ApiOkResponse,
  ApiTags,
} from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { Caller } from '../../common/authorization/caller.js';
import { Public, Requires, SelfOr } from '../../common/authorization/policy.js';
import type { Principal } from '../../common/authorization/principal.js';
import { ErrorResponse } from '../../common/errors/error.response.js';
import { IfMatch, type TagCondition } from '../../common/http/entity-tag.js';
import { ApiIfMatch, ConditionalGet, Versioned } from '../../common/http/versioned.interceptor.js';
import { ApiPage } from '../../common/pagination/api-page.js';
import { sendPage } from '../../common/pagination/page.js';
import { IdPipe } from '../../common/validation/id.pipe.js';
import { CreateUserDto } from './dto/create-user.dto.js';
import { ListUsersDto } from './dto/list-users.dto.js';
import { SetRolesDto } from './dto/set-roles.dto.js';
import { UpdateUserDto } from './dto/update-user.dto.js';
import { toUserResponse, UserResponse } from './dto/user.response.js';
import { UsersService } from './users.service.js';

@ApiTags('users')
@Controller('api/users')
export class UsersController {
  constructor(private readonly users: UsersService) {}

  /** Signs up an account. */
  @Post()
  @Public()
  @Versioned()
  @ApiCreatedResponse({ type: UserResponse, headers: { Location: { schema: { type: 'string' } } } })
  @ApiConflictResponse({ type: ErrorResponse, description: 'The address is taken' })
  async create(
    @Body() body: CreateUserDto,
    @Res({ passthrough: true }) response: Response,
  ): Promise<UserResponse> {
    const user = toUserResponse(await this.users.create(body));
    response.location(`/api/users/${user.id}`);
    return user;
  }

  /** Lists and searches accounts. */
  @Get()
  @Requires('users:read')
  @ApiPage(UserResponse)
  async list(
    @Query() query: ListUsersDto,
    @Caller() caller: Principal,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<UserResponse[]> {
    const page = await this.users.list(query, caller);
    return sendPage(page, request, response).map(toUserResponse);
  }

  /** One account. A deleted one is there only for `users:delete`. */
  @Get(':id')
  @SelfOr('users:read')
  @ConditionalGet()
  @ApiOkResponse({ type: UserResponse })
  async read(@Param('id', IdPipe) id: string, @Caller() caller: Principal): Promise<UserResponse> {
    return toUserResponse(await this.users.get(id, caller));
  }

  /** Changes an account: its name, or whether it is disabled. */
  @Patch(':id')
  @Requires('users:write')
  @Versioned()
  @ApiIfMatch()
  @ApiOkResponse({ type: UserResponse })
  @ApiConflictResponse({ type: ErrorResponse, description: 'The last active admin, or a deleted account' })
  async update(
    @Param('id', IdPipe) id: string,
    @Body() body: UpdateUserDto,
    @Caller() caller: Principal,
    @IfMatch() condition: TagCondition | null,
  ): Promise<UserResponse> {
    return toUserResponse(await this.users.update(id, body, caller, condition));
  }

  /** Replaces the roles of an account. Nobody grants a permission that they do not hold. */
  @Put(':id/roles')
  @Requires('roles:grant')
  @Versioned()
  @ApiIfMatch(true)
  @ApiOkResponse({ type: UserResponse })
  @ApiConflictResponse({ type: ErrorResponse, description: 'The last active admin' })
  async setRoles(
    @Param('id', IdPipe) id: string,
    @Body() body: SetRolesDto,
    @Caller() caller: Principal,
    @IfMatch() condition: TagCondition | null,
  ): Promise<UserResponse> {
    return toUserResponse(await this.users.setRoles(id, body.roles, caller, condition));
  }

  /** Deletes an account; it can be restored for 30 days, and keeps its address that long. */
  @Delete(':id')
  @SelfOr('users:delete')
  @HttpCode(204)
  @ApiIfMatch()
  @ApiNoContentResponse()
  @ApiConflictResponse({ type: ErrorResponse, description: 'The last active admin' })
  async delete(
    @Param('id', IdPipe) id: string,
    @Caller() caller: Principal,
    @IfMatch() condition: TagCondition | null,
  ): Promise<void> {
    await this.users.delete(id, caller, condition);
  }

  /** Undoes a deletion. */
  @Post(':id/restore')
  @Requires('users:delete')
  @HttpCode(200)
  @Versioned()
  @ApiOkResponse({ type: UserResponse })
  @ApiConflictResponse({
    type: ErrorResponse,
    description: 'The account is not deleted, or was deleted too long ago',
  })
  async restore(@Param('id', IdPipe) id: string, @Caller() caller: Principal): Promise<UserResponse> {
    return toUserResponse(await this.users.restore(id, caller));
  }
}
