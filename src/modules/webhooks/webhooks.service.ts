import { Injectable } from '@nestjs/common';
import { AppError } from '../../common/errors/app.error.js';
import type { Preconditions } from '../../common/http/preconditions/preconditions.decorator.js';
import { newId } from '../../common/ids.js';
import { assertTimeKey, decodeCursor, encodeCursor } from '../../common/pagination/cursor.js';
import { type Page, toPage } from '../../common/pagination/page.js';
import {
  assertOffsetOrCursor,
  DEFAULT_LIMIT,
  type PageQuery,
} from '../../common/pagination/page-query.dto.js';
import { type AuditChanges, changesBetween } from '../../platform/audit-log/audit-details.js';
import { AuditLog } from '../../platform/audit-log/audit-log.service.js';
import { UnitOfWork } from '../../platform/database/transactions/unit-of-work.js';
import { OutboundTargetsService } from '../../platform/http-client/outbound-targets.service.js';
import type { CreateWebhookDto } from './dto/create-webhook.dto.js';
import { WebhookDeliverer } from './sending/webhook.deliverer.js';
import type { Webhook } from './webhook.entity.js';
import { webhookTarget } from './webhook-pauses.service.js';
import { WebhookSecretsService } from './webhook-secrets.service.js';
import { type WebhookChange, WebhooksRepository } from './webhooks.repository.js';

/** The maximum number of webhooks. */
export const MAX_WEBHOOKS = 100;
const SCOPE = { list: 'webhooks' };

/** A webhook with a secret that its creator sees only now. */
export interface WebhookWithSecret {
  readonly webhook: Webhook;
  readonly secret: string;
}

/** Manages webhooks. Commands make the changes that store events. */
@Injectable()
export class WebhooksService {
  constructor(
    private readonly repository: WebhooksRepository,
    private readonly secrets: WebhookSecretsService,
    private readonly targets: OutboundTargetsService,
    private readonly deliverer: WebhookDeliverer,
    private readonly unitOfWork: UnitOfWork,
    private readonly audit: AuditLog,
  ) {}

  /** Lists webhooks, oldest first. */
  async list(query: PageQuery): Promise<Page<Webhook>> {
    assertOffsetOrCursor(query);
    const { limit = DEFAULT_LIMIT, offset = 0, cursor } = query;
    const after = cursor === undefined ? null : decodeCursor(cursor, SCOPE);
    if (after) assertTimeKey(after.key);
    return toPage(
      await this.repository.findPage({ limit: limit + 1, offset, after }),
      query,
      (last) => encodeCursor({ key: last.createdAt.toISOString(), id: last.id }, SCOPE),
      () => this.repository.count(),
    );
  }

  /** Returns the webhook. @throws AppError `NOT_FOUND` */
  async get(id: string): Promise<Webhook> {
    const webhook = await this.repository.findById(id);
    if (!webhook) throw new AppError('NOT_FOUND');
    return webhook;
  }

  /** Locks the webhook until the unit of work ends. @throws AppError `NOT_FOUND` */
  async lock(id: string): Promise<Webhook> {
    const webhook = await this.repository.findByIdForUpdate(id);
    if (!webhook) throw new AppError('NOT_FOUND');
    return webhook;
  }

  /**
   * Creates a webhook with a secret. It receives the events that are stored from now on.
   * @throws AppError `VALIDATION_ERROR` for a URL that must not be called
   * @throws AppError `CONFLICT` when {@link MAX_WEBHOOKS} exist
   */
  create({ url, types, description }: CreateWebhookDto): Promise<WebhookWithSecret> {
    this.assertTarget(url);
    return this.unitOfWork.run(async () => {
      if ((await this.repository.countLocked()) >= MAX_WEBHOOKS)
        throw new AppError('CONFLICT', { message: `At most ${MAX_WEBHOOKS} webhooks can exist` });
      const made = { id: newId(), url, types, description: description || null };
      const webhook = await this.repository.insert(made);
      const secret = await this.secrets.add(webhook.id);
      await this.audit.record({
        action: 'webhook.create',
        target: webhookTarget(webhook.id),
        changes: changesOf(null, webhook),
      });
      return { webhook, secret };
    });
  }

  /** Deletes a webhook. Deliveries that wait are not sent any more. @throws AppError `NOT_FOUND`, `PRECONDITION_FAILED` */
  delete(id: string, condition: Preconditions | null): Promise<void> {
    return this.unitOfWork.run(async () => {
      const webhook = await this.lock(id);
      condition?.assertWrite(webhook);
      await this.repository.delete(id);
      await this.audit.record({
        action: 'webhook.delete',
        target: webhookTarget(id),
        changes: changesOf(webhook, null),
      });
      this.unitOfWork.afterCommit(() => this.deliverer.apply());
    });
  }

  /**
   * Makes a new secret. The former one signs too for 24 hours.
   * @throws AppError `NOT_FOUND`, `PRECONDITION_FAILED`
   * @throws AppError `CONFLICT` when too many secrets sign already
   */
  rotateSecret(id: string, condition: Preconditions | null): Promise<WebhookWithSecret> {
    return this.unitOfWork.run(async () => {
      const before = await this.lock(id);
      condition?.assertWrite(before);
      const secret = await this.secrets.add(id);
      const webhook = await this.repository.update(id);
      await this.audit.record({ action: 'webhook.rotate_secret', target: webhookTarget(id) });
      return { webhook, secret };
    });
  }

  /** Rejects a URL that no delivery may be sent to. @throws AppError `VALIDATION_ERROR` */
  assertTarget(url: string): void {
    const fault = this.targets.faultOf(url);
    if (fault !== null) throw AppError.invalid('url', fault);
  }
}

/** Returns the fields that differ, as the audit log shows them. Null stands for a webhook that does not exist. */
export const changesOf = (before: WebhookChange | null, after: WebhookChange | null): AuditChanges =>
  changesBetween(before && fieldsOf(before), after && fieldsOf(after));

const fieldsOf = ({ url, types, description, status, pausedReason }: WebhookChange) => ({
  url,
  types,
  description,
  status,
  paused_reason: pausedReason,
});
