import { Body, Controller, HttpCode, Post, Res } from '@nestjs/common';
import { ApiConflictResponse, ApiTags } from '@nestjs/swagger';
import type { Response } from 'express';
import { Caller } from '../../common/context/caller.decorator.js';
import { RequiresOneOf } from '../../common/authorization/policy.decorator.js';
import type { Principal } from '../../common/authorization/principal.types.js';
import { ErrorResponse } from '../../common/errors/error.response.js';
import { ApiJob, type JobResponse, sendJob } from '../jobs/dto/job.response.js';
import { UserBatchDto } from './dto/user-batch.dto.js';
import { UserBatchesService } from './user-batches.service.js';
import { Repeatable } from '../../platform/idempotency/idempotency.decorator.js';

@ApiTags('users')
@Controller('api/users')
export class UserBatchesController {
  constructor(private readonly batches: UserBatchesService) {}

  /** Performs one action on many users as a job. `GET /api/jobs/{id}` returns its progress. */
  @Post('batch')
  @Repeatable()
  @RequiresOneOf('users:write', 'users:delete', 'roles:grant', 'sessions:revoke')
  @HttpCode(202)
  @ApiJob()
  @ApiConflictResponse({ type: ErrorResponse, description: 'The caller has too many unfinished jobs' })
  async createBatch(
    @Body() body: UserBatchDto,
    @Caller() caller: Principal,
    @Res({ passthrough: true }) response: Response,
  ): Promise<JobResponse> {
    return sendJob(await this.batches.create(body, caller), response);
  }
}
