import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { AuditModule } from '../audit/audit.module.js';
import { AuthModule } from '../auth/auth.module.js';
import { AuditSource } from './audit-source.js';
import { ExportCleanUp } from './export-clean-up.js';
import { ExportConnections } from './export-connections.js';
import { ExportController } from './export.controller.js';
import { ExportCursors } from './export-cursor.js';
import { ExportService } from './export.service.js';
import { ExportedUsersRepository } from './exported-users.repository.js';
import { ExportsRepository } from './exports.repository.js';
import { UsersSource } from './users-source.js';
import { Export } from './export.entity.js';
import { UserImage } from './user-image.entity.js';

@Module({
  imports: [TypeOrmModule.forFeature([Export, UserImage]), AuthModule, AuditModule],
  controllers: [ExportController],
  providers: [
    ExportService,
    ExportConnections,
    ExportCursors,
    ExportsRepository,
    ExportCleanUp,
    ExportedUsersRepository,
    UsersSource,
    AuditSource,
  ],
})
export class ExportModule {}
