import { Injectable } from '@nestjs/common';
import { IsNull } from 'typeorm';
import { newId } from '../../common/ids.js';
import type { PageKey } from '../../common/pagination/cursor.js';
import { insertReturning, returnedEntity } from '../../platform/database/returned-entity.js';
import { SqlRunner } from '../../platform/database/sql.runner.js';
import { UnitOfWork } from '../../platform/database/transactions/unit-of-work.js';
import { Webhook } from './webhook.entity.js';

export type NewWebhook = Pick<Webhook, 'id' | 'url' | 'types' | 'description'>;
export type WebhookChange = Pick<Webhook, 'url' | 'types' | 'description' | 'status' | 'pausedReason'>;

export interface WebhookPage {
  readonly limit: number;
  readonly offset: number;
  readonly after: PageKey | null;
}

const LIVE = { deletedAt: IsNull() };

@Injectable()
export class WebhooksRepository {
  constructor(
    private readonly unitOfWork: UnitOfWork,
    private readonly sql: SqlRunner,
  ) {}

  insert(webhook: NewWebhook): Promise<Webhook> {
    return insertReturning(this.webhooks, webhook);
  }

  findById(id: string): Promise<Webhook | null> {
    return this.webhooks.findOneBy({ id, ...LIVE });
  }

  /** Locks the row until the unit of work ends. */
  findByIdForUpdate(id: string): Promise<Webhook | null> {
    return this.webhooks.findOne({ where: { id, ...LIVE }, lock: { mode: 'pessimistic_write' } });
  }

  /** Returns a page of webhooks, oldest first. */
  findPage({ limit, offset, after }: WebhookPage): Promise<Webhook[]> {
    const query = this.webhooks.createQueryBuilder('webhook').where(LIVE);
    if (after) query.andWhere('(webhook.createdAt, webhook.id) > (:key, :id)', after);
    return query.orderBy('webhook.createdAt').addOrderBy('webhook.id').limit(limit).offset(offset).getMany();
  }

  count(): Promise<number> {
    return this.webhooks.countBy(LIVE);
  }

  /** Counts the webhooks and keeps others from creating one until the unit of work ends. */
  async countLocked(): Promise<number> {
    await this.sql.execute(`SELECT pg_advisory_xact_lock(hashtextextended('webhooks', 0))`);
    return this.count();
  }

  /** Changes a locked row and raises its version, also when only its secrets changed. */
  async update(id: string, change: Partial<WebhookChange> = {}): Promise<Webhook> {
    const { raw } = await this.webhooks.update(
      { id },
      { ...change, version: () => 'version + 1', updatedAt: () => 'clock_timestamp()' },
      { returning: '*' },
    );
    return returnedEntity(this.webhooks, raw as object[]);
  }

  /** Marks a locked row as deleted and deletes its secrets and replays. */
  async delete(id: string): Promise<void> {
    await this.webhooks.update({ id }, { deletedAt: () => 'clock_timestamp()' });
    await this.sql.execute('DELETE FROM webhook_secrets WHERE webhook_id = $1', [id]);
    await this.sql.execute('DELETE FROM webhook_replays WHERE webhook_id = $1', [id]);
  }

  /** Returns the version of the next event about a locked webhook. */
  async nextEvent(id: string): Promise<number> {
    const { version } = await this.sql.one<{ version: number }>(
      'UPDATE webhooks SET last_event = last_event + 1 WHERE id = $1 RETURNING last_event AS version',
      [id],
    );
    return version;
  }

  /** Adds a secret, from now on the current one. The former ones expire after `seconds`. */
  async addSecret(webhookId: string, encrypted: Buffer, seconds: number): Promise<void> {
    await this.sql.execute(
      `UPDATE webhook_secrets SET expires_at = clock_timestamp() + make_interval(secs => $2::integer)
       WHERE webhook_id = $1 AND expires_at IS NULL`,
      [webhookId, seconds],
    );
    await this.sql.execute('DELETE FROM webhook_secrets WHERE expires_at <= clock_timestamp()');
    await this.sql.execute(
      'INSERT INTO webhook_secrets (id, webhook_id, secret_sealed) VALUES ($1, $2, $3)',
      [newId(), webhookId, encrypted],
    );
  }

  /** Counts the secrets that sign. */
  async countSecrets(webhookId: string): Promise<number> {
    const { secrets } = await this.sql.one<{ secrets: number }>(
      `SELECT count(*)::integer AS secrets FROM webhook_secrets
       WHERE webhook_id = $1 AND (expires_at IS NULL OR expires_at > clock_timestamp())`,
      [webhookId],
    );
    return secrets;
  }

  private get webhooks() {
    return this.unitOfWork.manager.getRepository(Webhook);
  }
}
