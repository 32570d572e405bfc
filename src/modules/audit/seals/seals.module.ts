import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { AuditRetention } from './audit-retention.js';
import { AuditKeysRepository } from './audit-keys.repository.js';
import { AuditKeysService } from './audit-keys.service.js';
import { EntriesRepository } from './entries.repository.js';
import { RetentionsRepository } from './retentions.repository.js';
import { SealWriter } from './seal-writer.js';
import { Sealing } from './sealing.js';
import { SealsController } from './seals.controller.js';
import { SealsRepository } from './seals.repository.js';
import { SealsService } from './seals.service.js';
import { Trail } from './trail.js';
import { AuditKey } from '../sealing/audit-key.entity.js';
import { AuditSeal } from '../sealing/audit-seal.entity.js';
import { AnnouncedMonth } from '../retention/announced-month.entity.js';

/** Provides the seals over the audit log and their verification. */
@Module({
  imports: [TypeOrmModule.forFeature([AuditKey, AuditSeal, AnnouncedMonth])],
  controllers: [SealsController],
  providers: [
    SealsService,
    SealWriter,
    Sealing,
    AuditKeysService,
    AuditKeysRepository,
    SealsRepository,
    EntriesRepository,
    Trail,
    RetentionsRepository,
    AuditRetention,
  ],
})
export class SealsModule {}
