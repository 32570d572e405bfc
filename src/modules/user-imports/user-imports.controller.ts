import { Controller, HttpCode, Post, Req, Res } from '@nestjs/common';
import { ApiBody, ApiConflictResponse, ApiTags } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { Caller } from '../../common/authorization/caller.js';
import { Requires } from '../../common/authorization/policy.js';
import type { Principal } from '../../common/authorization/principal.js';
import { ErrorResponse } from '../../common/errors/error.response.js';
import { StreamedBody } from '../../platform/http/streamed-body.js';
import { ApiJob, type JobResponse, sendJob } from '../jobs/dto/job.response.js';
import { CSV, NDJSON } from './import-format.js';
import { MAX_LINE_BYTES } from './line-splitter.js';
import { MAX_LINES } from './staging.js';
import { UserImportsService } from './user-imports.service.js';

@ApiTags('users')
@Controller('api/users')
export class UserImportsController {
  constructor(private readonly imports: UserImportsService) {}

  /**
   * Makes accounts of a file of up to a million, as a job that begins when all of it has come. A line each:
   * `{email, name, password_hash?, email_verified?, status?, roles?}`, or in CSV these columns by name (roles parted by
   * `;` or `|`). Bad lines and taken addresses fail by themselves. Nobody is mailed.
   */
  @Post('import')
  @Requires('users:write')
  @StreamedBody(NDJSON, CSV)
  @HttpCode(202)
  @ApiBody({ schema: { type: 'string', maxLength: MAX_LINES * MAX_LINE_BYTES } })
  @ApiJob()
  @ApiConflictResponse({ type: ErrorResponse, description: 'Too many jobs of the caller are under way' })
  async create(
    @Req() request: Request,
    @Caller() caller: Principal,
    @Res({ passthrough: true }) response: Response,
  ): Promise<JobResponse> {
    return sendJob(await this.imports.receive(request, caller), response);
  }
}
