import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { AuthModule } from '../auth/auth.module.js';
import { BulkJobsModule } from '../jobs/jobs.module.js';
import { RolesModule } from '../roles/roles.module.js';
import { UsersModule } from '../users/users.module.js';
import { ImportsCleanUp } from './clean-up.js';
import { ImportPiecesRepository } from './import-pieces.repository.js';
import { ImportRun } from './import-run.js';
import { Staging } from './staging.js';
import { UserImportsController } from './user-imports.controller.js';
import { UserImportsService } from './user-imports.service.js';
import { ImportChunk } from './import-chunk.entity.js';

@Module({
  imports: [TypeOrmModule.forFeature([ImportChunk]), UsersModule, RolesModule, AuthModule, BulkJobsModule],
  controllers: [UserImportsController],
  providers: [UserImportsService, Staging, ImportRun, ImportPiecesRepository, ImportsCleanUp],
})
export class UserImportsModule {}
