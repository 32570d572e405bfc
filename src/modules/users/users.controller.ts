import { Body, Controller, Get, Param, Patch, Post, Put, Query, Req, Res } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import {
  ApiBearerAuth,
  ApiBody,
  ApiConflictResponse,
  ApiCreatedResponse,
  ApiForbiddenResponse,
  ApiHeader,
  ApiOkResponse,
  ApiSecurity,
  ApiTags,
} from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { AcceptLanguage } from '../../common/http/accept-language.decorator.js';
import { Caller } from '../../common/context/caller.decorator.js';
import { OptionalCaller } from '../../common/context/optional-caller.decorator.js';
import { Public, Requires, SelfOr } from '../../common/authorization/policy.decorator.js';
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
import { ApiPasswordRefusal } from '../../common/validation/text.decorators.js';
import { CreateUser } from './commands/create-user.command.js';
import { SetEmail } from './commands/set-email.command.js';
import { SetRoles } from './commands/set-roles.command.js';
import { UpdateUser } from './commands/update-user.command.js';
import { BehindFlag } from '../../platform/feature-flags/behind-flag.decorator.js';
import { signUpFlag } from './users.flags.js';
import { CreateUserPipe } from './create-user.pipe.js';
import { CreateUserDto } from './dto/create-user.dto.js';
import { SignUpDto } from './dto/sign-up.dto.js';
import { SetEmailDto } from './dto/set-email.dto.js';
import { SignInLimited } from '../../platform/rate-limit/tier.policy.js';
import { ListUsersDto } from './dto/list-users.dto.js';
import { ReadUserDto } from './dto/read-user.dto.js';
import { SetRolesDto } from './dto/set-roles.dto.js';
import { UpdateUserDto } from './dto/update-user.dto.js';
import { toUserResponse, UserResponse } from './dto/user.response.js';
import { UsersService } from './users.service.js';
import { Repeatable } from '../../platform/idempotency/idempotency.decorator.js';

/** The bodies that `POST /api/users` shows. The first one succeeds for every caller. */
const NEW_USER_EXAMPLES = {
  sign_up: {
    summary: 'A sign-up',
    value: { email: 'ada@example.com', password: 'correct horse battery', name: 'Ada Lovelace' },
  },
  invitation: {
    summary: 'An invitation by a holder of users:write',
    value: { email: 'grace@example.com', name: 'Grace Hopper', roles: ['user'], locale: 'en' },
  },
};

@ApiTags('users')
@Controller('api/users')
export class UsersController {
  constructor(
    private readonly commands: CommandBus,
    private readonly users: UsersService,
  ) {}

  /**
   * Registers a user. A caller with `users:write` may leave out the password, so that the user is invited by mail
   * to choose one, and may set more than a person who signs up.
   */
  @Post()
  @Repeatable()
  @Public()
  @BehindFlag(signUpFlag, (_, caller) => caller?.permissions.has('users:write') === true)
  @SignInLimited()
  @Versioned()
  // Without a token, or with one.
  @ApiSecurity({})
  @ApiBearerAuth()
  @ApiHeader({
    name: 'Accept-Language',
    required: false,
    description: 'The languages that the user prefers, for a sign-up without `locale`',
    schema: { type: 'string' },
  })
  @ApiBody({ type: CreateUserDto, examples: NEW_USER_EXAMPLES })
  @ApiCreatedResponse({ type: UserResponse, headers: { Location: { schema: { type: 'string' } } } })
  @ApiPasswordRefusal()
  @ApiForbiddenResponse({
    type: ErrorResponse,
    description: 'The caller may not grant one of the roles, or sign-up is switched off',
  })
  @ApiConflictResponse({ type: ErrorResponse, description: 'The email address is taken' })
  async createUser(
    @Body(CreateUserPipe) body: SignUpDto | CreateUserDto,
    @OptionalCaller() caller: Principal | null,
    @AcceptLanguage() languages: string | undefined,
    @Res({ passthrough: true }) response: Response,
  ): Promise<UserResponse> {
    const user = toUserResponse(await this.commands.execute(new CreateUser(body, caller, languages)));
    response.location(`/api/users/${user.id}`);
    return user;
  }

  /** Lists and searches users. */
  @Get()
  @Requires('users:read')
  @ApiPage(UserResponse)
  async listUsers(
    @Query() query: ListUsersDto,
    @Caller() caller: Principal,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<UserResponse[]> {
    const page = await this.users.list(query, caller);
    return sendPage(page, request, response).map(toUserResponse);
  }

  /** Returns one user. A deleted user is visible only with `users:delete`. */
  @Get(':id')
  @SelfOr('users:read')
  @ConditionalGet()
  @ApiOkResponse({ type: UserResponse })
  async readUser(
    @Param('id', IdPipe) id: string,
    @Query() { at }: ReadUserDto,
    @Caller() caller: Principal,
  ): Promise<UserResponse> {
    if (at !== undefined) return this.users.getAsOf(id, new Date(at), caller);
    return toUserResponse(await this.users.get(id, caller));
  }

  /** Renames, disables or enables a user. */
  @Patch(':id')
  @Requires('users:write')
  @Versioned()
  @ApiPreconditions()
  @ApiOkResponse({ type: UserResponse })
  @ApiConflictResponse({
    type: ErrorResponse,
    description: 'The user is deleted, or is the last active admin',
  })
  async updateUser(
    @Param('id', IdPipe) id: string,
    @Body() body: UpdateUserDto,
    @Caller() caller: Principal,
    @WritePreconditions() condition: Preconditions | null,
  ): Promise<UserResponse> {
    return toUserResponse(await this.commands.execute(new UpdateUser(id, body, caller, condition)));
  }

  /** Replaces the roles of a user. A caller can grant only permissions that the caller holds. */
  @Put(':id/roles')
  @Requires('roles:grant')
  @Versioned()
  @ApiPreconditions({ required: true })
  @ApiOkResponse({ type: UserResponse })
  @ApiConflictResponse({ type: ErrorResponse, description: 'The user is the last active admin' })
  async setUserRoles(
    @Param('id', IdPipe) id: string,
    @Body() body: SetRolesDto,
    @Caller() caller: Principal,
    @WritePreconditions() condition: Preconditions | null,
  ): Promise<UserResponse> {
    return toUserResponse(await this.commands.execute(new SetRoles(id, body.roles, caller, condition)));
  }

  /**
   * Changes the email address of another user, or marks an address as confirmed. Expires the codes that were mailed to
   * the user, and notifies the former address. An address that is not confirmed gets a mail to confirm it.
   */
  @Put(':id/email')
  @Requires('users:write')
  @Versioned()
  @ApiPreconditions()
  @ApiOkResponse({ type: UserResponse })
  @ApiConflictResponse({
    type: ErrorResponse,
    description: 'Another user has the email address, or the user is deleted',
  })
  async setUserEmail(
    @Param('id', IdPipe) id: string,
    @Body() body: SetEmailDto,
    @Caller() caller: Principal,
    @WritePreconditions() condition: Preconditions | null,
  ): Promise<UserResponse> {
    return toUserResponse(await this.commands.execute(new SetEmail(id, body, caller, condition)));
  }
}
