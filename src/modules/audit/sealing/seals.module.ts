import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { AuditRetentionService } from '../retention/audit-retention.service.js';
import { AuditKeysRepository } from './audit-keys.repository.js';
import { AuditKeysService } from './audit-keys.service.js';
import { SettledEntriesRepository } from './settled-entries.repository.js';
import { RetentionsRepository } from '../retention/retentions.repository.js';
import { sealMetrics } from './seal.metrics.js';
import { SealWriter } from './seal.writer.js';
import { SealingService } from './sealing.service.js';
import { SealsController } from './seals.controller.js';
import { SealsRepository } from './seals.repository.js';
import { SealsService } from './seals.service.js';
import { AuditLogReader } from './audit-log.reader.js';
import { AuditKey } from './audit-key.entity.js';
import { AuditSeal } from './audit-seal.entity.js';
import { AnnouncedMonth } from '../retention/announced-month.entity.js';

/** Provides the seals over the audit log and their verification. */
@Module({
  imports: [TypeOrmModule.forFeature([AuditKey, AuditSeal, AnnouncedMonth])],
  controllers: [SealsController],
  providers: [
    SealsService,
    SealWriter,
    ...sealMetrics,
    SealingService,
    AuditKeysService,
    AuditKeysRepository,
    SealsRepository,
    SettledEntriesRepository,
    AuditLogReader,
    RetentionsRepository,
    AuditRetentionService,
  ],
  exports: [SealsService],
})
export class SealsModule {}
