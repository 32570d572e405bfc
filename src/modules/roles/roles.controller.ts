import { Body, Controller, Delete, Get, HttpCode, Param, Put, Query, Req, Res } from '@nestjs/common';
import {
  ApiConflictResponse,
  ApiNoContentResponse,
  ApiNotFoundResponse,
  ApiOkResponse,
  ApiParam,
  ApiTags,
} from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { Caller } from '../../common/context/caller.decorator.js';
import { Requires, SignedIn } from '../../common/authorization/policy.decorator.js';
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
import { PageQuery } from '../../common/pagination/page-query.dto.js';
import { sendPage } from '../../common/pagination/page.js';
import { assertNamedAsInPath } from '../../common/validation/read-only.decorator.js';
import { PutRoleDto } from './dto/put-role.dto.js';
import { ROLE_NAME } from './dto/role-name.decorator.js';
import { RoleNamePipe } from './role-name.pipe.js';
import { RoleResponse, toRoleResponse } from './dto/role.response.js';
import { RolesService } from './roles.service.js';

const NAME_PARAM = {
  name: 'name',
  schema: { type: 'string', pattern: ROLE_NAME.source, example: 'support' },
} as const;
const EXAMPLE_TAG = '"support.3"';

@ApiTags('roles')
@Controller('api/roles')
export class RolesController {
  constructor(private readonly roles: RolesService) {}

  /** Lists the roles with their permissions. */
  @Get()
  @SignedIn()
  @ApiPage(RoleResponse)
  async listRoles(
    @Query() query: PageQuery,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<RoleResponse[]> {
    const page = await this.roles.list(query);
    return sendPage(page, request, response).map(toRoleResponse);
  }

  /** Returns one role with its permissions. */
  @Get(':name')
  @SignedIn()
  @ApiParam(NAME_PARAM)
  @ConditionalGet(EXAMPLE_TAG)
  @ApiOkResponse({ type: RoleResponse })
  @ApiNotFoundResponse({ type: ErrorResponse })
  async readRole(@Param('name', RoleNamePipe) name: string): Promise<RoleResponse> {
    return toRoleResponse(await this.roles.get(name));
  }

  /** Creates a role or replaces its permissions. Shipped roles cannot be changed. */
  @Put(':name')
  @Requires('roles:grant')
  @ApiParam(NAME_PARAM)
  @Versioned()
  @ApiPreconditions({ example: EXAMPLE_TAG })
  @ApiOkResponse({ type: RoleResponse })
  @ApiConflictResponse({
    type: ErrorResponse,
    description: 'The role ships with the product and cannot be changed',
  })
  async putRole(
    @Param('name', RoleNamePipe) name: string,
    @Body() body: PutRoleDto,
    @Caller() caller: Principal,
    @WritePreconditions() condition: Preconditions | null,
  ): Promise<RoleResponse> {
    assertNamedAsInPath('name', body.name, name);
    const { permissions } = body;
    return toRoleResponse(await this.roles.put({ name, permissions, caller, condition }));
  }

  /** Deletes a role that no user has. Shipped roles cannot be deleted. */
  @Delete(':name')
  @Requires('roles:grant')
  @HttpCode(204)
  @ApiParam(NAME_PARAM)
  @ApiPreconditions({ example: EXAMPLE_TAG })
  @ApiNoContentResponse()
  @ApiNotFoundResponse({ type: ErrorResponse })
  @ApiConflictResponse({
    type: ErrorResponse,
    description: 'A user has the role, or it ships with the product',
  })
  deleteRole(
    @Param('name', RoleNamePipe) name: string,
    @WritePreconditions() condition: Preconditions | null,
  ): Promise<void> {
    return this.roles.delete(name, condition);
  }
}
