import { Injectable, type OnModuleInit } from '@nestjs/common';
import { deleteInBatches } from '../../platform/queue/delete-in-batches.js';
import { TaskWorker } from '../../platform/queue/task.worker.js';
import { DeliveriesRepository } from './deliveries/deliveries.repository.js';
import { ReplaysService } from './deliveries/replays.service.js';

/** The time in days for which deliveries are kept, whatever became of them. */
const RETENTION_DAYS = 30;

/** Deletes old deliveries and what is left of deleted webhooks, and continues replays, once an hour on one instance. */
@Injectable()
export class WebhooksCleanup implements OnModuleInit {
  constructor(
    private readonly worker: TaskWorker,
    private readonly deliveries: DeliveriesRepository,
    private readonly replays: ReplaysService,
  ) {}

  onModuleInit(): void {
    this.worker.registerPeriodic('webhooks.clean-up', '17 * * * *', () => this.run());
  }

  async run(): Promise<void> {
    const { live, deleted } = await this.deliveries.findForCleanup();
    for (const id of live) {
      await deleteInBatches((limit) => this.deliveries.deleteBefore(id, RETENTION_DAYS, limit));
      await deleteInBatches((limit) => this.deliveries.deleteIdleLanes(id, limit));
    }
    for (const id of deleted) {
      await deleteInBatches((limit) => this.deliveries.deleteBefore(id, 0, limit));
      await deleteInBatches((limit) => this.deliveries.deleteLanes(id, limit));
      await this.deliveries.deleteWebhook(id);
    }
    await this.replays.continueAll();
  }
}
