import { Injectable, type OnModuleInit } from '@nestjs/common';
import { TaskQueue } from '../../platform/queue/task.queue.js';
import { TaskWorker } from '../../platform/queue/task.worker.js';
import { UsersRepository } from './users.repository.js';

const REFRESH_STATISTICS_TASK = 'users.sample-anew';

/** Keeps the planner statistics of users up to date where PostgreSQL would do so too late. */
@Injectable()
export class UserStatisticsService implements OnModuleInit {
  constructor(
    private readonly repository: UsersRepository,
    private readonly queue: TaskQueue,
    private readonly worker: TaskWorker,
  ) {}

  onModuleInit(): void {
    this.worker.register(REFRESH_STATISTICS_TASK, () => this.repository.refreshStatistics());
  }

  /** Enqueues an ANALYZE. One task serves all changes made in the meantime. */
  async enqueueRefresh(): Promise<void> {
    await this.queue.enqueue(REFRESH_STATISTICS_TASK, {}, REFRESH_STATISTICS_TASK);
  }
}
