import { Injectable } from '@nestjs/common';
import { MoreThan } from 'typeorm';
import type { PageKey } from '../../../common/pagination/cursor.js';
import { estimateRows } from '../../../platform/database/estimate-rows.js';
import { returnedEntity } from '../../../platform/database/returned-entity.js';
import { SqlRunner } from '../../../platform/database/sql.runner.js';
import { UnitOfWork } from '../../../platform/database/transactions/unit-of-work.js';
import { Delivery, type DeliveryStatus } from './delivery.entity.js';

/** The number of attempts that a delivery keeps when it is made pending again. */
const KEPT_ATTEMPTS = 10;
/** The number of rows counted for a metric. */
const MAX_COUNTED = 100_000;

export interface DeliveryPage {
  readonly webhookId: string;
  /** The status to select, or null for every status. */
  readonly status: DeliveryStatus | null;
  readonly limit: number;
  readonly offset: number;
  readonly after: PageKey | null;
}

export interface DeliveryCounts {
  readonly pending: number;
  readonly dead: number;
  /** The number of paused webhooks. */
  readonly paused: number;
  /** The seconds for which the oldest due delivery of an active webhook has waited; 0 when none is due. */
  readonly lagSeconds: number;
}

const counted = (status: DeliveryStatus): string =>
  `(SELECT count(*)::integer FROM (
      SELECT FROM webhook_deliveries WHERE status = '${status}' LIMIT ${MAX_COUNTED}) AS counted)`;

@Injectable()
export class DeliveriesRepository {
  constructor(
    private readonly unitOfWork: UnitOfWork,
    private readonly sql: SqlRunner,
  ) {}

  /** Returns the delivery of an event that waits in that lane. */
  findPending(webhookId: string, subject: string, eventId: string): Promise<Delivery | null> {
    return this.deliveries.findOneBy({ webhookId, subject, eventId, status: 'pending' });
  }

  /** Locks the row until the unit of work ends. */
  findByIdForUpdate(webhookId: string, id: string): Promise<Delivery | null> {
    return this.deliveries.findOne({ where: { webhookId, id }, lock: { mode: 'pessimistic_write' } });
  }

  /** Returns a page of deliveries, newest first. */
  findPage({ webhookId, status, limit, offset, after }: DeliveryPage): Promise<Delivery[]> {
    const query = this.deliveries.createQueryBuilder('delivery').where({ webhookId });
    if (status !== null) query.andWhere({ status });
    if (after) query.andWhere('(delivery.createdAt, delivery.id) < (:key, :id)', after);
    return query
      .orderBy('delivery.createdAt', 'DESC')
      .addOrderBy('delivery.id', 'DESC')
      .limit(limit)
      .offset(offset)
      .getMany();
  }

  /** Returns deliveries of the events of one subject, oldest first, after the one with the id `after`. */
  findAbout(subject: string, after: string | null, limit: number): Promise<Delivery[]> {
    return this.deliveries.find({
      where: { subject, ...(after !== null && { id: MoreThan(after) }) },
      order: { id: 'ASC' },
      take: limit,
    });
  }

  count({ webhookId, status }: Pick<DeliveryPage, 'webhookId' | 'status'>): Promise<number> {
    return this.deliveries.countBy({ webhookId, ...(status !== null && { status }) });
  }

  estimate({ webhookId, status }: Pick<DeliveryPage, 'webhookId' | 'status'>): Promise<number> {
    return estimateRows(
      this.sql,
      'SELECT 1 FROM webhook_deliveries WHERE webhook_id = $1 AND ($2::text IS NULL OR status = $2)',
      [webhookId, status],
    );
  }

  /** Makes a locked delivery pending again, with all its attempts before it, and wakes its lane. */
  async renew({ id, webhookId, subject }: Delivery): Promise<Delivery> {
    const { raw } = await this.deliveries.update(
      { id },
      {
        status: 'pending',
        tries: 0,
        nextAttemptAt: () => `date_trunc('milliseconds', now())`,
        attempts: () =>
          `coalesce((SELECT jsonb_agg(value ORDER BY place) FROM jsonb_array_elements(attempts)
                     WITH ORDINALITY AS kept (value, place)
                     WHERE place > jsonb_array_length(attempts) - ${KEPT_ATTEMPTS}), '[]')`,
        responses: () => `responses[greatest(1, cardinality(responses) - ${KEPT_ATTEMPTS - 1}):]`,
      },
      { returning: '*' },
    );
    await this.wakeLanes(webhookId, [subject]);
    return returnedEntity(this.deliveries, raw as object[]);
  }

  /** Makes lanes due. Locks them in the order of their subjects, as the writers of events do. */
  async wakeLanes(webhookId: string, subjects: readonly string[]): Promise<void> {
    await this.sql.execute(
      `INSERT INTO webhook_lanes AS lanes (webhook_id, subject, due_at)
       SELECT DISTINCT $1::uuid, subject, date_trunc('milliseconds', now()) FROM unnest($2::text[]) AS subject ORDER BY subject
       ON CONFLICT (webhook_id, subject) DO UPDATE SET
         mark = lanes.mark + 1, due_at = least(lanes.due_at, excluded.due_at), touched_at = clock_timestamp()`,
      [webhookId, subjects],
    );
  }

  async countForMetrics(): Promise<DeliveryCounts> {
    return this.sql.one<DeliveryCounts>(
      `SELECT ${counted('pending')} AS pending, ${counted('dead')} AS dead,
              (SELECT count(*)::integer FROM webhooks WHERE status = 'paused' AND deleted_at IS NULL) AS paused,
              (SELECT coalesce(greatest(0, extract(epoch FROM statement_timestamp() - min(first.due_at))), 0)::float8
               FROM webhooks, LATERAL (
                 SELECT due_at FROM webhook_lanes WHERE webhook_id = webhooks.id AND due_at IS NOT NULL
                 ORDER BY due_at LIMIT 1
               ) AS first
               WHERE status = 'active' AND deleted_at IS NULL) AS "lagSeconds"`,
    );
  }

  /** Deletes old deliveries of one webhook; all of a deleted one. @returns the number deleted */
  deleteBefore(webhookId: string, days: number, limit: number): Promise<number> {
    return this.sql.affected(
      `DELETE FROM webhook_deliveries WHERE id IN (
         SELECT id FROM webhook_deliveries
         WHERE webhook_id = $1 AND created_at < clock_timestamp() - make_interval(days => $2::integer)
         ORDER BY created_at LIMIT $3 FOR UPDATE SKIP LOCKED)`,
      [webhookId, days, limit],
    );
  }

  /** Deletes lanes without pending deliveries that got none for a day. @returns the number deleted */
  deleteIdleLanes(webhookId: string, limit: number): Promise<number> {
    return this.sql.affected(
      `DELETE FROM webhook_lanes WHERE webhook_id = $1 AND subject IN (
         SELECT subject FROM webhook_lanes
         WHERE webhook_id = $1 AND due_at IS NULL AND touched_at < clock_timestamp() - interval '1 day'
         LIMIT $2 FOR UPDATE SKIP LOCKED)`,
      [webhookId, limit],
    );
  }

  /** Deletes all lanes of a deleted webhook. @returns the number deleted */
  deleteLanes(webhookId: string, limit: number): Promise<number> {
    return this.sql.affected(
      `DELETE FROM webhook_lanes WHERE webhook_id = $1 AND subject IN (
         SELECT subject FROM webhook_lanes WHERE webhook_id = $1 LIMIT $2 FOR UPDATE SKIP LOCKED)`,
      [webhookId, limit],
    );
  }

  /** Returns the ids of all webhooks, those deleted more than an hour ago apart. */
  async findForCleanup(): Promise<{ live: string[]; deleted: string[] }> {
    const rows = await this.sql.rows<{ id: string; deleted: boolean }>(
      `SELECT id, deleted_at IS NOT NULL AS deleted FROM webhooks
       WHERE deleted_at IS NULL OR deleted_at < clock_timestamp() - interval '1 hour'`,
    );
    const ids = (deleted: boolean) => rows.filter((row) => row.deleted === deleted).map(({ id }) => id);
    return { live: ids(false), deleted: ids(true) };
  }

  /** Deletes the row of a deleted webhook that has neither deliveries nor lanes left. */
  async deleteWebhook(id: string): Promise<void> {
    await this.sql.execute(
      `DELETE FROM webhooks WHERE id = $1 AND deleted_at IS NOT NULL
         AND NOT EXISTS (SELECT FROM webhook_deliveries WHERE webhook_id = $1)
         AND NOT EXISTS (SELECT FROM webhook_lanes WHERE webhook_id = $1)`,
      [id],
    );
  }

  private get deliveries() {
    return this.unitOfWork.manager.getRepository(Delivery);
  }
}
