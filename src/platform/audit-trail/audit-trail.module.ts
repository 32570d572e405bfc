import { Global, Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { JobsModule } from '../jobs/jobs.module.js';
import { AuditPartitions } from './audit-partitions.js';
import { AuditTrail } from './audit-trail.js';
import { AuditEntry } from './audit-entry.entity.js';

@Global()
@Module({ imports: [TypeOrmModule.forFeature([AuditEntry])], providers: [AuditTrail], exports: [AuditTrail] })
export class AuditTrailModule {}

/** A separate module, so that programs that only write entries start no tasks. */
@Module({ imports: [JobsModule], providers: [AuditPartitions] })
export class AuditPartitionsModule {}
