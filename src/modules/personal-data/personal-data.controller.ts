import { Controller, Get, Param, Req, type StreamableFile } from '@nestjs/common';
import { ApiForbiddenResponse, ApiOkResponse, ApiTags } from '@nestjs/swagger';
import type { Request } from 'express';
import { Caller } from '../../common/context/caller.decorator.js';
import { SelfOr } from '../../common/authorization/policy.decorator.js';
import type { Principal } from '../../common/authorization/principal.types.js';
import { ErrorResponse } from '../../common/errors/error.response.js';
import { IdPipe } from '../../common/validation/id.pipe.js';
import { streamedJson } from '../../platform/http/answers/streamed-json.js';
import { PersonalDataResponse } from './dto/personal-data.response.js';
import { PersonalDataService } from './personal-data.service.js';

@ApiTags('users')
@Controller('api/users')
export class PersonalDataController {
  constructor(private readonly personalData: PersonalDataService) {}

  /** Streams all data held about one person as one document (GDPR, Art. 15 and 20). */
  @Get(':id/data')
  @SelfOr('users:delete')
  @ApiForbiddenResponse({
    type: ErrorResponse,
    description: 'The user holds a permission that the caller does not hold',
  })
  @ApiOkResponse({
    type: PersonalDataResponse,
    headers: { 'Content-Disposition': { schema: { type: 'string' } } },
  })
  async readPersonalData(
    @Param('id', IdPipe) id: string,
    @Caller() caller: Principal,
    @Req() request: Request,
  ): Promise<StreamableFile> {
    return streamedJson(request, `account-${id}.json`, await this.personalData.partsOf(id, caller));
  }
}
