import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { NIL_UUID } from '../../../common/ids.js';
import { AuditLog } from '../../../platform/audit-log/audit-log.service.js';
import { UnitOfWork } from '../../../platform/database/transactions/unit-of-work.js';
import { EventStore } from '../../../platform/event-store/event-store.js';
import { DeliveriesRepository } from '../deliveries/deliveries.repository.js';
import type { Delivery } from '../deliveries/delivery.entity.js';
import { webhookEventTypes } from '../events/webhook-events.js';
import { WebhookDeliverer } from '../sending/webhook.deliverer.js';
import { webhookSubject, webhookTarget } from '../webhook-pauses.service.js';
import { WebhooksRepository } from '../webhooks.repository.js';
import { WebhooksService } from '../webhooks.service.js';

/** Sends a test event to one webhook, whatever its types. @throws AppError `NOT_FOUND` */
export class SendTestEvent extends Command<Delivery> {
  constructor(readonly id: string) {
    super();
  }
}

@CommandHandler(SendTestEvent)
export class SendTestEventHandler implements ICommandHandler<SendTestEvent> {
  constructor(
    private readonly webhooks: WebhooksService,
    private readonly repository: WebhooksRepository,
    private readonly deliveries: DeliveriesRepository,
    private readonly deliverer: WebhookDeliverer,
    private readonly events: EventStore,
    private readonly audit: AuditLog,
    private readonly unitOfWork: UnitOfWork,
  ) {}

  execute({ id }: SendTestEvent): Promise<Delivery> {
    return this.unitOfWork.run(async () => {
      await this.webhooks.lock(id);
      const subject = webhookSubject(id);
      const [eventId = ''] = await this.events.append([
        {
          type: webhookEventTypes.test,
          stream: id,
          version: await this.repository.nextEvent(id),
          subject: NIL_UUID,
          about: subject,
          data: { webhook_id: id },
        },
      ]);
      await this.audit.record({ action: 'webhook.test', target: webhookTarget(id) });
      const delivery = await this.deliveries.findPending(id, subject, eventId);
      if (!delivery) throw new Error('the database made no delivery of the test event');
      this.unitOfWork.afterCommit(() => this.deliverer.wake());
      return delivery;
    });
  }
}
