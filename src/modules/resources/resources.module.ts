import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { UsersModule } from '../users/users.module.js';
import { CreateResourceHandler } from './commands/create-resource.command.js';
import { DeleteResourceHandler } from './commands/delete-resource.command.js';
import { TransferResourcesHandler } from './commands/transfer-resources.command.js';
import { ResourceErasureService } from './resource-erasure.service.js';
import { ResourceHistory } from './resource.history.js';
import { ResourcesController } from './resources.controller.js';
import { ResourcesListener } from './resources.listener.js';
import { ResourcesRepository } from './resources.repository.js';
import { ResourcesService } from './resources.service.js';
import { Resource } from './resource.entity.js';

const commands = [CreateResourceHandler, DeleteResourceHandler, TransferResourcesHandler];

@Module({
  imports: [TypeOrmModule.forFeature([Resource]), UsersModule],
  controllers: [ResourcesController],
  providers: [
    ResourcesService,
    ResourcesRepository,
    ResourceHistory,
    ResourceErasureService,
    ResourcesListener,
    ...commands,
  ],
  exports: [ResourcesService],
})
export class ResourcesModule {}
