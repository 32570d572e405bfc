import { Injectable } from '@nestjs/common';
import { insertReturning } from '../../../platform/database/returned-entity.js';
import { SqlRunner } from '../../../platform/database/sql.runner.js';
import { UnitOfWork } from '../../../platform/database/transactions/unit-of-work.js';
import { type EventHeader, shownSubject } from '../../../platform/event-store/event-store.js';
import { Replay } from './replay.entity.js';

@Injectable()
export class ReplaysRepository {
  constructor(
    private readonly unitOfWork: UnitOfWork,
    private readonly sql: SqlRunner,
  ) {}

  /** Inserts a replay of events before `to`, but not after now. */
  async insert(replay: Pick<Replay, 'id' | 'webhookId' | 'from' | 'to'>): Promise<Replay> {
    const { now } = await this.sql.one<{ now: Date }>(`SELECT clock_timestamp() AS now`);
    const to = replay.to < now ? replay.to : now;
    return insertReturning(this.replays, { ...replay, to });
  }

  count(webhookId: string): Promise<number> {
    return this.replays.countBy({ webhookId });
  }

  /** Returns the ids of all unfinished replays. Each webhook has a bounded number of them. */
  async findIds(): Promise<string[]> {
    return (await this.replays.find({ select: { id: true } })).map(({ id }) => id);
  }

  /** Locks the row until the unit of work ends. */
  findByIdForUpdate(id: string): Promise<Replay | null> {
    return this.replays.findOne({ where: { id }, lock: { mode: 'pessimistic_write' } });
  }

  async update(id: string, progress: Pick<Replay, 'after' | 'last'>): Promise<void> {
    await this.replays.update({ id }, progress);
  }

  async delete(id: string): Promise<void> {
    await this.replays.delete({ id });
  }

  /** Adds deliveries of former events in their order. An event that waits for its delivery already gets no second one. */
  async addDeliveries(webhookId: string, events: readonly EventHeader[]): Promise<void> {
    await this.sql.execute(
      `INSERT INTO webhook_deliveries (id, webhook_id, subject, event_id, type, epoch, xid, seq)
       SELECT make_uuid_v7(), $1::uuid, subject, event_id, type, epoch, xid, seq
       FROM unnest($2::text[], $3::uuid[], $4::text[], $5::integer[], $6::xid8[], $7::bigint[])
         AS event (subject, event_id, type, epoch, xid, seq)
       WHERE NOT EXISTS (
         SELECT FROM webhook_deliveries AS known
         WHERE known.webhook_id = $1 AND known.status = 'pending' AND known.subject = event.subject
           AND (known.epoch, known.xid, known.seq) = (event.epoch, event.xid, event.seq))
       ORDER BY epoch, xid, seq`,
      [
        webhookId,
        events.map(shownSubject),
        events.map(({ id }) => id),
        events.map(({ type }) => type),
        events.map(({ position }) => position.epoch),
        events.map(({ position }) => position.xid),
        events.map(({ position }) => position.seq),
      ],
    );
  }

  private get replays() {
    return this.unitOfWork.manager.getRepository(Replay);
  }
}
