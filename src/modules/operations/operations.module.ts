import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { SealsModule } from '../audit/sealing/seals.module.js';
import { JobsModule } from '../jobs/jobs.module.js';
import { WebhooksModule } from '../webhooks/webhooks.module.js';
import { Instance } from './instance.entity.js';
import { InstancePresence } from './instance-presence.service.js';
import { InstancesRepository } from './instances.repository.js';
import { OperationsController } from './operations.controller.js';
import { OperationsService } from './operations.service.js';
import { LoggingModule } from '../../platform/logging/logging.module.js';

@Module({
  imports: [TypeOrmModule.forFeature([Instance]), LoggingModule, SealsModule, JobsModule, WebhooksModule],
  controllers: [OperationsController],
  providers: [OperationsService, InstancePresence, InstancesRepository],
})
export class OperationsModule {}
