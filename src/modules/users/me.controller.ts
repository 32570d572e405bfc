import { Body, Controller, Get, Patch } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { ApiOkResponse, ApiTags } from '@nestjs/swagger';
import { Caller } from '../../common/context/caller.decorator.js';
import { SignedIn } from '../../common/authorization/policy.decorator.js';
import type { Principal } from '../../common/authorization/principal.types.js';
import {
  type Preconditions,
  WritePreconditions,
} from '../../common/http/preconditions/preconditions.decorator.js';
import {
  ApiPreconditions,
  ConditionalGet,
  Versioned,
} from '../../common/http/preconditions/versioned.decorator.js';
import { UpdateUser } from './commands/update-user.command.js';
import { UpdateMeDto } from './dto/update-user.dto.js';
import { toUserResponse, UserResponse } from './dto/user.response.js';
import { UsersService } from './users.service.js';

@ApiTags('users')
@Controller('api/users/me')
export class MeController {
  constructor(
    private readonly commands: CommandBus,
    private readonly users: UsersService,
  ) {}

  /** Returns the caller's own user. */
  @Get()
  @SignedIn()
  @ConditionalGet()
  @ApiOkResponse({ type: UserResponse })
  async readMe(@Caller() caller: Principal): Promise<UserResponse> {
    return toUserResponse(await this.users.get(caller.userId, caller));
  }

  /** Changes the caller's own user. */
  @Patch()
  @SignedIn()
  @Versioned()
  @ApiPreconditions()
  @ApiOkResponse({ type: UserResponse })
  async updateMe(
    @Body() body: UpdateMeDto,
    @Caller() caller: Principal,
    @WritePreconditions() condition: Preconditions | null,
  ): Promise<UserResponse> {
    return toUserResponse(
      await this.commands.execute(new UpdateUser(caller.userId, body, caller, condition)),
    );
  }
}
