import { Global, Module } from '@nestjs/common';
import { JobRunner } from './job-runner.js';
import { JobUpkeep } from './job-upkeep.js';
import { Jobs } from './jobs.js';

@Global()
@Module({ providers: [Jobs, JobRunner, JobUpkeep], exports: [Jobs, JobRunner] })
export class JobsModule {}
