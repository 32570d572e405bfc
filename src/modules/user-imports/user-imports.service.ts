import { Injectable, type OnModuleInit } from '@nestjs/common';
import type { Request } from 'express';
import type { Principal } from '../../common/authorization/principal.types.js';
import { requestContext } from '../../common/context/request-context.js';
import { AppError } from '../../common/errors/app.error.js';
import { newId } from '../../common/ids.js';
import type { Config } from '../../config/config.js';
import { InjectConfig } from '../../config/config.module.js';
import { UnitOfWork } from '../../platform/database/transactions/unit-of-work.js';
import { streamedBody, streamedType } from '../../platform/http/body/streamed-body.decorator.js';
import { IdempotencyClaimsService } from '../../platform/idempotency/idempotency-claims.service.js';
import { LifecycleService } from '../../platform/lifecycle/lifecycle.service.js';
import { jobAnswer } from '../jobs/dto/job.response.js';
import { type Job, JobRegistry } from '../jobs/job-registry.service.js';
import { JobCreationService } from '../jobs/job-creation.service.js';
import type { ImportQueryDto } from './dto/import-query.dto.js';
import { FORMER_IMPORT_JOB_TYPE, IMPORT_JOB_TYPE, type ImportParameters } from './import-options.js';
import type { ImportType } from './import.reader.js';
import { ImportResults } from './import-results.service.js';
import { RejectedRows } from './rejected-rows.service.js';
import { ImportChunksRepository } from './import-chunks.repository.js';
import { ImportRunner } from './import.runner.js';
import { ImportStaging } from './import-staging.service.js';
import { UploadSlots } from './upload.slots.js';

/** Receives uploaded files of users. */
@Injectable()
export class UserImportsService implements OnModuleInit {
  private readonly slots = new UploadSlots();

  constructor(
    @InjectConfig() private readonly config: Config,
    private readonly registry: JobRegistry,
    private readonly jobCreation: JobCreationService,
    private readonly chunks: ImportChunksRepository,
    private readonly staging: ImportStaging,
    private readonly runner: ImportRunner,
    private readonly results: ImportResults,
    private readonly rejected: RejectedRows,
    private readonly claims: IdempotencyClaimsService,
    private readonly unitOfWork: UnitOfWork,
    private readonly lifecycle: LifecycleService,
  ) {}

  onModuleInit(): void {
    for (const type of [IMPORT_JOB_TYPE, FORMER_IMPORT_JOB_TYPE]) {
      this.registry.register({
        type,
        perform: (job, signal) => this.runner.perform(job, signal),
        count: ({ id }) => this.chunks.count(id),
        skipOpen: ({ id }) => this.chunks.skipOpen(id),
        findResults: (page) => this.results.findPage(page),
        countResults: (jobId, status) => this.chunks.countResults(jobId, status),
        openRejected: (job) => this.rejected.open(job),
      });
    }
  }

  /**
   * Stages the body and creates the job once all of it has arrived. Waits for a slot before it reads the body. Deletes
   * everything staged if the upload fails.
   * @throws AppError `VALIDATION_ERROR`, `PAYLOAD_TOO_LARGE`, `CONFLICT`, `OVERLOADED`, or `TIMEOUT` when no
   * bytes arrive
   */
  async receive(request: Request, options: ImportQueryDto, caller: Principal): Promise<Job> {
    const { clientGone } = requestContext.current() ?? {};
    const { stopping } = this.lifecycle;
    const abandoned = clientGone ? AbortSignal.any([clientGone, stopping]) : stopping;
    return this.slots.run(caller.userId, abandoned, () => this.receiveInSlot(request, options, caller));
  }

  private async receiveInSlot(request: Request, options: ImportQueryDto, caller: Principal): Promise<Job> {
    const left = new AbortController();
    const leave = () => left.abort();
    request.once('close', () => request.complete || leave());
    const context = requestContext.current();
    const work = () => this.stage(request, options, caller);
    // An upload may take as long as bytes arrive, so the request timeout does not apply.
    return context ? requestContext.run(requestContext.withSignal(context, left.signal), work) : work();
  }

  private async stage(
    request: Request,
    { dry_run: dryRun = false, on_conflict: policy = 'fail' }: ImportQueryDto,
    caller: Principal,
  ): Promise<Job> {
    const id = newId();
    await this.jobCreation.assertBelowLimit(caller);
    try {
      const body = streamedBody(request, {
        idleMs: this.config.REQUEST_TIMEOUT_MS,
        stopping: this.lifecycle.stopping,
      });
      // The gate has checked the type.
      const { lines: total, form } = await this.staging.stage(id, body, streamedType(request) as ImportType);
      if (total === 0) throw AppError.invalid('body', 'body must contain at least one user');
      return await this.unitOfWork.run(async () => {
        // The clean-up may have discarded lines staged too long ago.
        if ((await this.chunks.countLines(id)) !== total) throw new AppError('TIMEOUT');
        const parameters = { form, on_conflict: policy } satisfies ImportParameters;
        const wanted = { id, type: IMPORT_JOB_TYPE, total, dryRun, parameters };
        const job = await this.jobCreation.create(wanted, caller);
        await this.claims.bind(jobAnswer(job));
        return job;
      });
    } catch (error) {
      // The clean-up deletes these lines if this deletion fails.
      await requestContext.leave(() => this.chunks.delete(id)).catch(() => {});
      throw error;
    }
  }
}
