import { Module } from '@nestjs/common';
import { UsersModule } from '../users/users.module.js';
import { AuditController } from './audit.controller.js';
import { AuditEntriesRepository } from './audit-entries.repository.js';
import { AuditFiltersService } from './audit-filters.service.js';
import { AuditService } from './audit.service.js';
import { EntryEmailsReader } from './entry-emails.reader.js';
import { SealsModule } from './sealing/seals.module.js';

@Module({
  imports: [SealsModule, UsersModule],
  controllers: [AuditController],
  providers: [AuditService, AuditEntriesRepository, AuditFiltersService, EntryEmailsReader],
  exports: [AuditService, AuditFiltersService],
})
export class AuditModule {}
