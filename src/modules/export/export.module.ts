import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { AuditModule } from '../audit/audit.module.js';
import { AuthModule } from '../auth/auth.module.js';
import { AuditSource } from './sources/audit.source.js';
import { ExportsCleanup } from './exports.cleanup.js';
import { ExportStreams } from './streaming/export.streams.js';
import { ExportController } from './export.controller.js';
import { ExportCursorService } from './export-cursor.service.js';
import { exportMetrics } from './export.metrics.js';
import { ExportService } from './export.service.js';
import { ExportedUsersRepository } from './sources/exported-users.repository.js';
import { ExportsRepository } from './exports.repository.js';
import { UsersSource } from './sources/users.source.js';
import { Export } from './export.entity.js';
import { UserImage } from './user-image.entity.js';

@Module({
  imports: [TypeOrmModule.forFeature([Export, UserImage]), AuthModule, AuditModule],
  controllers: [ExportController],
  providers: [
    ExportService,
    ExportStreams,
    ...exportMetrics,
    ExportCursorService,
    ExportsRepository,
    ExportsCleanup,
    ExportedUsersRepository,
    UsersSource,
    AuditSource,
  ],
})
export class ExportModule {}
