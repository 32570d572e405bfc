import { Injectable } from '@nestjs/common';
import { NIL_UUID } from '../../common/ids.js';
import { AuditLog } from '../../platform/audit-log/audit-log.service.js';
import { UnitOfWork } from '../../platform/database/transactions/unit-of-work.js';
import { EventStore } from '../../platform/event-store/event-store.js';
import { webhookEventTypes } from './events/webhook-events.js';
import type { PausedReason } from './webhook.entity.js';
import { WebhooksRepository } from './webhooks.repository.js';

/** Records pauses, and makes those of receivers that are gone. */
@Injectable()
export class WebhookPauses {
  constructor(
    private readonly repository: WebhooksRepository,
    private readonly events: EventStore,
    private readonly audit: AuditLog,
    private readonly unitOfWork: UnitOfWork,
  ) {}

  /** Pauses a webhook whose receiver answered `410 Gone`, unless it is paused or deleted already. */
  async pauseGone(id: string): Promise<void> {
    await this.unitOfWork.run(async () => {
      const webhook = await this.repository.findByIdForUpdate(id);
      if (webhook?.status !== 'active') return;
      await this.repository.update(id, { status: 'paused', pausedReason: 'gone' });
      await this.audit.record({
        action: 'webhook.update',
        target: webhookTarget(id),
        changes: { status: { from: 'active', to: 'paused' }, paused_reason: { from: null, to: 'gone' } },
      });
      await this.recordPaused(id, 'gone');
    });
  }

  /** Stores the event of a pause in its unit of work. The caller has locked the webhook. */
  async recordPaused(id: string, reason: PausedReason): Promise<void> {
    await this.events.append([
      {
        type: webhookEventTypes.paused,
        stream: id,
        version: await this.repository.nextEvent(id),
        subject: NIL_UUID,
        about: webhookSubject(id),
        data: { webhook_id: id, paused_reason: reason },
      },
    ]);
  }
}

export const webhookTarget = (id: string) => ({ type: 'webhook', id });

/** Returns the subject of events about a webhook. */
export const webhookSubject = (id: string): string => `webhook/${id}`;
