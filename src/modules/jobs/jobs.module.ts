import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { AuthModule } from '../auth/auth.module.js';
import { JobAttemptsService } from './job-attempts.service.js';
import { BulkActionsService } from './bulk-actions.service.js';
import { BulkRowProcessor } from './processing/bulk-row.processor.js';
import { BulkJobProcessor } from './processing/bulk-job.processor.js';
import { JobsCleanup } from './storage/jobs.cleanup.js';
import { CancelJobHandler } from './commands/cancel-job.command.js';
import { CreateBulkJobHandler } from './commands/create-bulk-job.command.js';
import { JobRegistry } from './job-registry.service.js';
import { JobRowsRepository } from './storage/job-rows.repository.js';
import { JobRunner } from './processing/job.runner.js';
import { JobWithdrawalService } from './job-withdrawal.service.js';
import { JobStreams } from './job.streams.js';
import { JobWorker } from './processing/job.worker.js';
import { JobsController } from './jobs.controller.js';
import { JobsListener } from './jobs.listener.js';
import { JobsRepository } from './storage/jobs.repository.js';
import { jobsMetrics } from './jobs.metrics.js';
import { JobsService } from './jobs.service.js';
import { JobCreationService } from './job-creation.service.js';
import { StoredJob } from './storage/stored-job.entity.js';
import { JobRow } from './storage/job-row.entity.js';

@Module({
  imports: [TypeOrmModule.forFeature([StoredJob, JobRow]), AuthModule],
  controllers: [JobsController],
  providers: [
    JobsService,
    JobsRepository,
    JobRowsRepository,
    JobRegistry,
    JobWorker,
    JobRunner,
    JobStreams,
    JobWithdrawalService,
    JobsListener,
    JobsCleanup,
    ...jobsMetrics,
    JobCreationService,
    JobAttemptsService,
    BulkActionsService,
    BulkJobProcessor,
    BulkRowProcessor,
    CreateBulkJobHandler,
    CancelJobHandler,
  ],
  exports: [
    JobsService,
    JobRegistry,
    BulkActionsService,
    JobCreationService,
    JobAttemptsService,
    JobWithdrawalService,
  ],
})
export class JobsModule {}
