import { Global, Module } from '@nestjs/common';
import { QueueMaintenance } from './queue-maintenance.service.js';
import { QueueMetrics } from './queue.metrics.js';
import { TaskQueue } from './task.queue.js';
import { TaskStates } from './task.states.js';
import { TaskWorker } from './task.worker.js';

@Global()
@Module({
  providers: [TaskQueue, TaskWorker, TaskStates, QueueMaintenance, QueueMetrics],
  exports: [TaskQueue, TaskWorker, TaskStates],
})
export class QueueModule {}
