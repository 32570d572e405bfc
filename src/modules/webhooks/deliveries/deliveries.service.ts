import { Injectable } from '@nestjs/common';
import { AppError } from '../../../common/errors/app.error.js';
import { assertTimeKey, decodeCursor, encodeCursor } from '../../../common/pagination/cursor.js';
import { type Page, toPage } from '../../../common/pagination/page.js';
import { assertOffsetOrCursor, DEFAULT_LIMIT } from '../../../common/pagination/page-query.dto.js';
import { AuditLog } from '../../../platform/audit-log/audit-log.service.js';
import { UnitOfWork } from '../../../platform/database/transactions/unit-of-work.js';
import {
  type DeliveryResponse,
  toDeliveryResponse,
  type UserDeliveryResponse,
} from '../dto/delivery.response.js';
import type { ListDeliveriesDto } from '../dto/list-deliveries.dto.js';
import { WebhookDeliverer } from '../sending/webhook.deliverer.js';
import { webhookTarget } from '../webhook-pauses.service.js';
import { WebhooksService } from '../webhooks.service.js';
import { DeliveriesRepository, type DeliveryCounts } from './deliveries.repository.js';
import type { Delivery } from './delivery.entity.js';
import { ResponseEncryption } from './response-encryption.service.js';

/** Shows the log of deliveries, and sends single ones again. */
@Injectable()
export class DeliveriesService {
  constructor(
    private readonly repository: DeliveriesRepository,
    private readonly webhooks: WebhooksService,
    private readonly encryption: ResponseEncryption,
    private readonly deliverer: WebhookDeliverer,
    private readonly unitOfWork: UnitOfWork,
    private readonly audit: AuditLog,
  ) {}

  /** Counts the deliveries of all webhooks. */
  readState(): Promise<DeliveryCounts> {
    return this.repository.countForMetrics();
  }

  /** Lists the deliveries of a webhook, newest first. @throws AppError `NOT_FOUND` */
  async list(webhookId: string, query: ListDeliveriesDto): Promise<Page<DeliveryResponse>> {
    assertOffsetOrCursor(query);
    await this.webhooks.get(webhookId);
    const { limit = DEFAULT_LIMIT, offset = 0, status } = query;
    const scope = { list: 'deliveries', webhook: webhookId, status };
    const after = query.cursor === undefined ? null : decodeCursor(query.cursor, scope);
    if (after) assertTimeKey(after.key);
    const which = { webhookId, status: status ?? null };
    const page = await toPage(
      await this.repository.findPage({ ...which, limit: limit + 1, offset, after }),
      query,
      (last) => encodeCursor({ key: last.createdAt.toISOString(), id: last.id }, scope),
      (kind) => (kind === 'exact' ? this.repository.count(which) : this.repository.estimate(which)),
    );
    const items: DeliveryResponse[] = [];
    // One after the other, so that a page takes one connection and reads the key of a user once.
    for (const each of page.items) items.push(await this.describe(each));
    return { ...page, items };
  }

  /**
   * Sends a delivery again, with all its attempts before it, whatever became of it. It takes its place in the order of
   * its user's events that wait.
   * @throws AppError `NOT_FOUND`
   */
  redeliver(webhookId: string, id: string): Promise<DeliveryResponse> {
    return this.unitOfWork.run(async () => {
      await this.webhooks.get(webhookId);
      const delivery = await this.repository.findByIdForUpdate(webhookId, id);
      if (!delivery) throw new AppError('NOT_FOUND');
      const renewed = await this.repository.renew(delivery);
      await this.audit.record({
        action: 'webhook.redeliver',
        target: webhookTarget(webhookId),
        changes: {
          delivery_id: { from: null, to: id },
          status: { from: delivery.status, to: renewed.status },
        },
      });
      this.unitOfWork.afterCommit(() => this.deliverer.wake());
      return this.describe(renewed);
    });
  }

  /** Returns deliveries of the events of a user to any webhook, oldest first, after the one with the id `after`. */
  async findOfUser(userId: string, after: string | null, limit: number): Promise<UserDeliveryResponse[]> {
    const found: UserDeliveryResponse[] = [];
    for (const each of await this.repository.findAbout(userId, after, limit))
      found.push(Object.assign(await this.describe(each), { webhook_id: each.webhookId }));
    return found;
  }

  /** Returns a delivery as the API does, with the responses that can still be decrypted. */
  async describe(delivery: Delivery): Promise<DeliveryResponse> {
    const { id, subject, responses } = delivery;
    return toDeliveryResponse(delivery, await this.encryption.decryptAll(id, subject, responses));
  }
}
