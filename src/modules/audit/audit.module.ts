import { Module } from '@nestjs/common';
import { AuditController } from './audit.controller.js';
import { AuditEntriesRepository } from './audit-entries.repository.js';
import { AuditService } from './audit.service.js';
import { SealsModule } from './sealing/seals.module.js';

@Module({
  imports: [SealsModule],
  controllers: [AuditController],
  providers: [AuditService, AuditEntriesRepository],
  exports: [AuditService],
})
export class AuditModule {}
