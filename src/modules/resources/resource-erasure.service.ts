import { Injectable, type OnModuleInit } from '@nestjs/common';
import { UnitOfWork } from '../../platform/database/transactions/unit-of-work.js';
import { TaskWorker } from '../../platform/queue/task.worker.js';
import { TaskQueue } from '../../platform/queue/task.queue.js';
import { ResourcesRepository } from './resources.repository.js';

const FORGET = 'resources.forget-names';
/** The number of resources in one statement, which takes a third of a second. */
const BATCH = 10_000;

interface Owner {
  readonly userId: string;
}

/**
 * Erases the names of resources whose owner is erased, because the owner chose these words. The resources
 * remain and can be transferred. Resources transferred before the erasure keep their names, which belong to
 * the new owner.
 */
@Injectable()
export class ResourceErasureService implements OnModuleInit {
  constructor(
    private readonly repository: ResourcesRepository,
    private readonly queue: TaskQueue,
    private readonly worker: TaskWorker,
    private readonly unitOfWork: UnitOfWork,
  ) {}

  onModuleInit(): void {
    this.worker.register(FORGET, (owner) =>
      this.unitOfWork.run(() => this.forgetNames((owner as Owner).userId)),
    );
  }

  /**
   * Erases the names in the unit of work that erases the owner. Beyond one batch, queued tasks erase the rest
   * right afterwards, a batch each.
   */
  async forgetNames(userId: string): Promise<void> {
    const forgotten = await this.repository.forgetNames(userId, BATCH);
    if (forgotten === BATCH) await this.queue.enqueue(FORGET, { userId });
  }
}
