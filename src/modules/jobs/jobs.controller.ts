import {
  Controller,
  Delete,
  Get,
  HttpCode,
  Param,
  Query,
  Req,
  Res,
  type StreamableFile,
} from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { ApiConflictResponse, ApiOkResponse, ApiTags } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { Caller } from '../../common/context/caller.decorator.js';
import { SignedIn } from '../../common/authorization/policy.decorator.js';
import type { Principal } from '../../common/authorization/principal.types.js';
import { ErrorResponse } from '../../common/errors/error.response.js';
import { ApiPage } from '../../common/pagination/api-page.decorator.js';
import { PageQuery } from '../../common/pagination/page-query.dto.js';
import { sendPage } from '../../common/pagination/page.js';
import { IdPipe } from '../../common/validation/id.pipe.js';
import { ApiEventStream, eventStream } from '../../platform/http/answers/event-stream.js';
import { streamedFile } from '../../platform/http/answers/streamed-file.js';
import { CancelJob } from './commands/cancel-job.command.js';
import { ApiJob, JobResponse, sendJob, toJobResponse } from './dto/job.response.js';
import { JobResultResponse, toJobResultResponse } from './dto/job-result.response.js';
import { ListResultsDto } from './dto/list-results.dto.js';
import { JobStreams } from './job.streams.js';
import { JobsService } from './jobs.service.js';

@ApiTags('jobs')
@Controller('api/jobs')
@SignedIn()
export class JobsController {
  constructor(
    private readonly commands: CommandBus,
    private readonly jobs: JobsService,
    private readonly streams: JobStreams,
  ) {}

  /** Lists the caller's jobs, newest first. Callers with `jobs:manage` see the jobs of all users. */
  @Get()
  @ApiPage(JobResponse)
  async listJobs(
    @Query() query: PageQuery,
    @Caller() caller: Principal,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<JobResponse[]> {
    const page = await this.jobs.list(query, caller);
    return sendPage(page, request, response).map(toJobResponse);
  }

  /** Returns the progress of a job. Another user's job is visible only with `jobs:manage`. */
  @Get(':id')
  @ApiOkResponse({ type: JobResponse })
  async readJob(@Param('id', IdPipe) id: string, @Caller() caller: Principal): Promise<JobResponse> {
    return toJobResponse(await this.jobs.get(id, caller));
  }

  /** Returns the result of each row, in row order. Rows without a result are left out. */
  @Get(':id/results')
  @ApiPage(JobResultResponse)
  async listJobResults(
    @Param('id', IdPipe) id: string,
    @Query() query: ListResultsDto,
    @Caller() caller: Principal,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<JobResultResponse[]> {
    const page = await this.jobs.results(id, query, caller);
    return sendPage(page, request, response).map(toJobResultResponse);
  }

  /**
   * Sends the rejected rows of an import as a file in the form of the upload, to fix and import again. They are
   * kept for 24 hours after the job ended. Those of another user's job also require `users:write`.
   */
  @Get(':id/rejected')
  @ApiOkResponse({
    description: 'The rejected rows, as NDJSON, a JSON array or CSV',
    content: {
      'application/x-ndjson': { schema: { type: 'string' }, example: '{"email":"ada@example"}\n' },
      'application/json': {
        schema: { type: 'array', items: { type: 'object' } },
        example: [{ email: 'ada@example' }],
      },
      'text/csv': { schema: { type: 'string' }, example: 'email,name\nada@example,Ada\n' },
    },
  })
  @ApiConflictResponse({ type: ErrorResponse, description: 'The job has not ended yet' })
  async rejected(
    @Param('id', IdPipe) id: string,
    @Caller() caller: Principal,
    @Req() request: Request,
  ): Promise<StreamableFile> {
    const { content, ...file } = await this.jobs.openRejected(id, caller);
    return streamedFile(request, file, content);
  }

  /**
   * Streams the progress of a job. `job` is the current state, `progress` follows changes at most once a
   * second, and `complete` ends the stream. `error` ends it when the session ends or the service stops. After
   * a stop, connect again.
   */
  @Get(':id/stream')
  @ApiEventStream('event: job\ndata: {"id":"0192f1c4-8a4e-7c31-9d52-3f6f0c2b7a10","status":"running"}\n\n')
  async streamJob(
    @Param('id', IdPipe) id: string,
    @Caller() caller: Principal,
    @Req() request: Request,
  ): Promise<StreamableFile> {
    return eventStream(request, await this.streams.open(id, caller, request));
  }

  /** Cancels a job. Rows that have not started are skipped. A job that has ended stays unchanged. */
  @Delete(':id')
  @HttpCode(202)
  @ApiJob()
  async cancelJob(
    @Param('id', IdPipe) id: string,
    @Caller() caller: Principal,
    @Res({ passthrough: true }) response: Response,
  ): Promise<JobResponse> {
    return sendJob(await this.commands.execute(new CancelJob(id, caller)), response);
  }
}
