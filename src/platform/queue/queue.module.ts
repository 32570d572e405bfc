import { Global, Module } from '@nestjs/common';
import { TaskWorker } from './task.worker.js';
import { QueueMaintenance } from './queue-maintenance.service.js';
import { TaskQueue } from './task.queue.js';

@Global()
@Module({ providers: [TaskQueue, TaskWorker, QueueMaintenance], exports: [TaskQueue, TaskWorker] })
export class QueueModule {}
