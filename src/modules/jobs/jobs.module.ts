import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { AuthModule } from '../auth/auth.module.js';
import { BulkActionsService } from './bulk-actions.service.js';
import { BulkRow } from './bulk-row.js';
import { BulkRows } from './bulk-rows.js';
import { JobsCleanUp } from './clean-up.js';
import { CancelJobHandler } from './commands/cancel-job.command.js';
import { CreateBulkJobHandler } from './commands/create-bulk-job.command.js';
import { JobKindsService } from './job-kinds.service.js';
import { JobRowsRepository } from './job-rows.repository.js';
import { JobRun } from './job-run.js';
import { JobWithdrawalsService } from './job-withdrawals.service.js';
import { JobStreams } from './job-streams.js';
import { JobWorker } from './job-worker.js';
import { JobsController } from './jobs.controller.js';
import { JobsListener } from './jobs.listener.js';
import { JobsRepository } from './jobs.repository.js';
import { JobsService } from './jobs.service.js';
import { NewJobsService } from './new-jobs.service.js';
import { StoredJob } from './stored-job.entity.js';
import { JobRow } from './job-row.entity.js';

@Module({
  imports: [TypeOrmModule.forFeature([StoredJob, JobRow]), AuthModule],
  controllers: [JobsController],
  providers: [
    JobsService,
    JobsRepository,
    JobRowsRepository,
    JobKindsService,
    JobWorker,
    JobRun,
    JobStreams,
    JobWithdrawalsService,
    JobsListener,
    JobsCleanUp,
    NewJobsService,
    BulkActionsService,
    BulkRows,
    BulkRow,
    CreateBulkJobHandler,
    CancelJobHandler,
  ],
  exports: [JobsService, JobKindsService, BulkActionsService, NewJobsService, JobWithdrawalsService],
})
export class BulkJobsModule {}
