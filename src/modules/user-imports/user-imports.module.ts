import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { AuthModule } from '../auth/auth.module.js';
import { JobsModule } from '../jobs/jobs.module.js';
import { RolesModule } from '../roles/roles.module.js';
import { UsersModule } from '../users/users.module.js';
import { ImportsCleanup } from './imports.cleanup.js';
import { ImportChunksRepository } from './import-chunks.repository.js';
import { ImportRunner } from './import.runner.js';
import { ImportWriter } from './import.writer.js';
import { ImportResults } from './import-results.service.js';
import { RejectedRows } from './rejected-rows.service.js';
import { ImportStaging } from './import-staging.service.js';
import { UserImportsController } from './user-imports.controller.js';
import { UserImportsService } from './user-imports.service.js';
import { ImportChunk } from './import-chunk.entity.js';

@Module({
  imports: [TypeOrmModule.forFeature([ImportChunk]), UsersModule, RolesModule, AuthModule, JobsModule],
  controllers: [UserImportsController],
  providers: [
    UserImportsService,
    ImportStaging,
    ImportRunner,
    ImportWriter,
    ImportResults,
    RejectedRows,
    ImportChunksRepository,
    ImportsCleanup,
  ],
})
export class UserImportsModule {}
