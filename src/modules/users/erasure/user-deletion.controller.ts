import { Controller, Delete, HttpCode, Param, Post } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import {
  ApiAcceptedResponse,
  ApiConflictResponse,
  ApiForbiddenResponse,
  ApiNoContentResponse,
  ApiNotFoundResponse,
  ApiOkResponse,
  ApiTags,
} from '@nestjs/swagger';
import { Caller } from '../../../common/context/caller.decorator.js';
import { Requires, SelfOr } from '../../../common/authorization/policy.decorator.js';
import type { Principal } from '../../../common/authorization/principal.types.js';
import { ErrorResponse } from '../../../common/errors/error.response.js';
import {
  type Preconditions,
  WritePreconditions,
} from '../../../common/http/preconditions/preconditions.decorator.js';
import { ApiPreconditions, Versioned } from '../../../common/http/preconditions/versioned.decorator.js';
import { IdPipe } from '../../../common/validation/id.pipe.js';
import { DeleteUser } from '../commands/delete-user.command.js';
import { EraseUser } from '../commands/erase-user.command.js';
import { RestoreUser } from '../commands/restore-user.command.js';
import { toUserResponse, UserResponse } from '../dto/user.response.js';
import { Repeatable } from '../../../platform/idempotency/idempotency.decorator.js';

@ApiTags('users')
@Controller('api/users/:id')
export class UserDeletionController {
  constructor(private readonly commands: CommandBus) {}

  /** Deletes a user. The user can be restored for 30 days and keeps the email address during that time. */
  @Delete()
  @SelfOr('users:delete')
  @HttpCode(204)
  @ApiPreconditions()
  @ApiNoContentResponse()
  @ApiForbiddenResponse({
    type: ErrorResponse,
    description: 'The user holds a permission that the caller does not hold',
  })
  @ApiConflictResponse({ type: ErrorResponse, description: 'The user is the last active admin' })
  async deleteUser(
    @Param('id', IdPipe) id: string,
    @Caller() caller: Principal,
    @WritePreconditions() condition: Preconditions | null,
  ): Promise<void> {
    await this.commands.execute(new DeleteUser(id, caller, condition));
  }

  /** Restores a deleted user. */
  @Post('restore')
  @Repeatable()
  @Requires('users:delete')
  @HttpCode(200)
  @Versioned()
  @ApiPreconditions()
  @ApiOkResponse({ type: UserResponse })
  @ApiConflictResponse({
    type: ErrorResponse,
    description: 'The user is not deleted, or was deleted too long ago',
  })
  async restoreUser(
    @Param('id', IdPipe) id: string,
    @Caller() caller: Principal,
    @WritePreconditions() condition: Preconditions | null,
  ): Promise<UserResponse> {
    return toUserResponse(await this.commands.execute(new RestoreUser(id, caller, condition)));
  }

  /** Makes the personal data of a deleted user permanently unreadable everywhere. The email address becomes available again. */
  @Post('erase')
  @Repeatable()
  @Requires('users:delete')
  @HttpCode(202)
  @ApiPreconditions()
  @ApiAcceptedResponse({
    description: 'Erased. Samples in the database statistics are removed within a second',
  })
  @ApiNotFoundResponse({ type: ErrorResponse, description: 'The user does not exist or is erased' })
  @ApiConflictResponse({ type: ErrorResponse, description: 'The user is not deleted' })
  async eraseUser(
    @Param('id', IdPipe) id: string,
    @Caller() caller: Principal,
    @WritePreconditions() condition: Preconditions | null,
  ): Promise<void> {
    await this.commands.execute(new EraseUser(id, caller, false, condition));
  }
}
