import { Global, Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { QueueModule } from '../queue/queue.module.js';
import { AuditPartitionsService } from './audit-partitions.service.js';
import { AuditLog } from './audit-log.service.js';
import { AuditEntry } from './audit-entry.entity.js';
import { AuditIpUser } from './audit-ip-user.entity.js';
import { AuditIpUsers } from './audit-ip-users.service.js';

@Global()
@Module({
  imports: [TypeOrmModule.forFeature([AuditEntry, AuditIpUser])],
  providers: [AuditLog, AuditIpUsers],
  exports: [AuditLog, AuditIpUsers],
})
export class AuditLogModule {}

/** A separate module, so that programs that only write entries start no tasks. */
@Module({ imports: [QueueModule], providers: [AuditPartitionsService] })
export class AuditPartitionsModule {}
