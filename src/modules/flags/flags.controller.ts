import { Body, Controller, Get, Param, Put, Query, Req, Res } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { ApiNotFoundResponse, ApiOkResponse, ApiParam, ApiTags } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { Requires, SignedIn } from '../../common/authorization/policy.decorator.js';
import type { Principal } from '../../common/authorization/principal.types.js';
import { Caller } from '../../common/context/caller.decorator.js';
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
import { FLAG_KEY_PARAMETER } from './dto/flag-key.parameter.js';
import { SetFlag } from './commands/set-flag.command.js';
import { FlagValueResponse } from './dto/flag-value.response.js';
import { FlagResponse, toFlagResponse } from './dto/flag.response.js';
import { PutFlagDto } from './dto/put-flag.dto.js';
import { FlagsService } from './flags.service.js';

const EXAMPLE_TAG = '"signup.3"';

@ApiTags('flags')
@Controller('api/flags')
export class FlagsController {
  constructor(
    private readonly flags: FlagsService,
    private readonly commands: CommandBus,
  ) {}

  /** Lists the flags with the values that hold for the caller. */
  @Get()
  @SignedIn()
  @ApiPage(FlagValueResponse)
  async listFlags(
    @Query() query: PageQuery,
    @Caller() { userId }: Principal,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<FlagValueResponse[]> {
    const page = await this.flags.list(query, userId);
    return sendPage(page, request, response).map(({ flag: { key, description }, value, reason }) => ({
      key,
      description,
      value,
      reason,
    }));
  }

  /** Returns the setting of a flag. */
  @Get(':key')
  @Requires('flags:manage')
  @ApiParam(FLAG_KEY_PARAMETER)
  @ConditionalGet(EXAMPLE_TAG)
  @ApiOkResponse({ type: FlagResponse })
  @ApiNotFoundResponse({ type: ErrorResponse, description: 'No flag has this key' })
  readFlag(@Param('key') key: string): FlagResponse {
    const flag = this.flags.find(key);
    return toFlagResponse(flag, this.flags.settingOf(flag));
  }

  /** Replaces the setting of a flag. It takes effect on every instance within a second. */
  @Put(':key')
  @Requires('flags:manage')
  @ApiParam(FLAG_KEY_PARAMETER)
  @Versioned()
  @ApiPreconditions({ example: EXAMPLE_TAG })
  @ApiOkResponse({ type: FlagResponse })
  @ApiNotFoundResponse({ type: ErrorResponse, description: 'No flag has this key' })
  async setFlag(
    @Param('key') key: string,
    @Body() body: PutFlagDto,
    @WritePreconditions() condition: Preconditions | null,
  ): Promise<FlagResponse> {
    const flag = this.flags.find(key);
    assertNamedAsInPath('key', body.key, key);
    return toFlagResponse(flag, await this.commands.execute(new SetFlag(flag, body, condition)));
  }
}
