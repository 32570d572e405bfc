import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Preconditions } from '../../../common/http/preconditions/preconditions.decorator.js';
import { AuditLog } from '../../../platform/audit-log/audit-log.service.js';
import { UnitOfWork } from '../../../platform/database/transactions/unit-of-work.js';
import type { UpdateWebhookDto } from '../dto/update-webhook.dto.js';
import { WebhookDeliverer } from '../sending/webhook.deliverer.js';
import type { Webhook } from '../webhook.entity.js';
import { WebhookPauses, webhookTarget } from '../webhook-pauses.service.js';
import { type WebhookChange, WebhooksRepository } from '../webhooks.repository.js';
import { changesOf, WebhooksService } from '../webhooks.service.js';

/**
 * Changes, pauses or continues a webhook.
 * @throws AppError `NOT_FOUND`, `PRECONDITION_FAILED`
 * @throws AppError `VALIDATION_ERROR` for a URL that must not be called
 */
export class UpdateWebhook extends Command<Webhook> {
  constructor(
    readonly id: string,
    readonly input: UpdateWebhookDto,
    readonly condition: Preconditions | null,
  ) {
    super();
  }
}

@CommandHandler(UpdateWebhook)
export class UpdateWebhookHandler implements ICommandHandler<UpdateWebhook> {
  constructor(
    private readonly webhooks: WebhooksService,
    private readonly repository: WebhooksRepository,
    private readonly pauses: WebhookPauses,
    private readonly deliverer: WebhookDeliverer,
    private readonly audit: AuditLog,
    private readonly unitOfWork: UnitOfWork,
  ) {}

  execute({ id, input, condition }: UpdateWebhook): Promise<Webhook> {
    if (input.url !== undefined) this.webhooks.assertTarget(input.url);
    return this.unitOfWork.run(async () => {
      const before = await this.webhooks.lock(id);
      condition?.assertWrite(before);
      const change = changed(before, input);
      const changes = changesOf(before, change);
      if (Object.keys(changes).length === 0) return before;
      const after = await this.repository.update(id, change);
      await this.audit.record({ action: 'webhook.update', target: webhookTarget(id), changes });
      if (before.status === 'active' && after.status === 'paused')
        await this.pauses.recordPaused(id, 'requested');
      this.unitOfWork.afterCommit(() => this.deliverer.apply());
      return after;
    });
  }
}

function changed(before: Webhook, { url, types, description, status }: UpdateWebhookDto): WebhookChange {
  const next = status ?? before.status;
  return {
    url: url ?? before.url,
    types: types ?? before.types,
    description: description === undefined ? before.description : description || null,
    status: next,
    pausedReason: next === 'active' ? null : (before.pausedReason ?? 'requested'),
  };
}
