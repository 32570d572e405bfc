import { Controller, HttpCode, Post, Query, Req, Res } from '@nestjs/common';
import { ApiConflictResponse, ApiExtraModels, ApiTags } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { Caller } from '../../common/context/caller.decorator.js';
import { Requires } from '../../common/authorization/policy.decorator.js';
import type { Principal } from '../../common/authorization/principal.types.js';
import { ErrorResponse } from '../../common/errors/error.response.js';
import { ApiBodyContent } from '../../common/http/body-content.decorator.js';
import { StreamedBody } from '../../platform/http/body/streamed-body.decorator.js';
import { KeyDecidesAlone } from '../../platform/idempotency/idempotency.decorator.js';
import { ApiJob, type JobResponse, sendJob } from '../jobs/dto/job.response.js';
import { BehindFlag } from '../../platform/feature-flags/behind-flag.decorator.js';
import { importFlag } from './user-imports.flags.js';
import { importBody } from './dto/import-body.js';
import { ImportQueryDto } from './dto/import-query.dto.js';
import { ImportRowDto } from './dto/import-row.dto.js';
import { importTypes } from './import.reader.js';
import { UserImportsService } from './user-imports.service.js';

@ApiTags('users')
@Controller('api/users')
export class UserImportsController {
  constructor(private readonly imports: UserImportsService) {}

  /**
   * Imports a file of up to a million users as a job, which starts once the upload is complete. Each line of
   * NDJSON, or element of a JSON array, is an `ImportRowDto`. A CSV file has these columns by name, with roles
   * separated by `;`, `,` or `|`. The other properties of an export of users are ignored. The file is in UTF-8 or
   * UTF-16, plain or compressed with gzip. A bad line or a taken address fails on its own.
   * Sends no mail.
   */
  @Post('import')
  @Requires('users:write')
  @BehindFlag(importFlag)
  @StreamedBody(...importTypes)
  @KeyDecidesAlone()
  @HttpCode(202)
  @ApiExtraModels(ImportRowDto)
  @ApiBodyContent(importBody)
  @ApiJob()
  @ApiConflictResponse({ type: ErrorResponse, description: 'The caller has too many unfinished jobs' })
  async importUsers(
    @Req() request: Request,
    @Query() query: ImportQueryDto,
    @Caller() caller: Principal,
    @Res({ passthrough: true }) response: Response,
  ): Promise<JobResponse> {
    return sendJob(await this.imports.receive(request, query, caller), response);
  }
}
