import { Injectable, type OnModuleInit } from '@nestjs/common';
import { AppError } from '../../../common/errors/app.error.js';
import {
  type EventPosition,
  formatPosition,
  parsePosition,
  START_POSITION,
} from '../../../common/event-position.js';
import { newId } from '../../../common/ids.js';
import { assertTimeRange } from '../../../common/validation/time.decorator.js';
import { AuditLog } from '../../../platform/audit-log/audit-log.service.js';
import { UnitOfWork } from '../../../platform/database/transactions/unit-of-work.js';
import { EventStore, shownSubject } from '../../../platform/event-store/event-store.js';
import { TaskQueue } from '../../../platform/queue/task.queue.js';
import { TaskWorker } from '../../../platform/queue/task.worker.js';
import type { ReplayDto } from '../dto/replay.dto.js';
import { WebhookDeliverer } from '../sending/webhook.deliverer.js';
import { webhookTarget } from '../webhook-pauses.service.js';
import { WebhooksRepository } from '../webhooks.repository.js';
import { WebhooksService } from '../webhooks.service.js';
import { DeliveriesRepository } from './deliveries.repository.js';
import type { Replay } from './replay.entity.js';
import { ReplaysRepository } from './replays.repository.js';

const TASK = 'webhooks.replay';
/** The maximum number of unfinished replays of one webhook. */
export const MAX_REPLAYS = 10;
/** The number of events in one transaction. */
const BATCH = 500;
/** The number of transactions in one task. The rest is another task, so that mails get their turn. */
const BATCHES_PER_TASK = 20;

/** Delivers the events of a range of time again. */
@Injectable()
export class ReplaysService implements OnModuleInit {
  constructor(
    private readonly replays: ReplaysRepository,
    private readonly deliveries: DeliveriesRepository,
    private readonly webhooks: WebhooksService,
    private readonly repository: WebhooksRepository,
    private readonly events: EventStore,
    private readonly queue: TaskQueue,
    private readonly worker: TaskWorker,
    private readonly deliverer: WebhookDeliverer,
    private readonly unitOfWork: UnitOfWork,
    private readonly audit: AuditLog,
  ) {}

  onModuleInit(): void {
    this.worker.register(TASK, (replay) => this.continue((replay as Pick<Replay, 'id'>).id));
  }

  /**
   * Accepts a replay of the events that happened from `from` on, before `to` and before now, of the types of the webhook.
   * @throws AppError `NOT_FOUND`
   * @throws AppError `VALIDATION_ERROR` when `to` is before `from`
   * @throws AppError `CONFLICT` when {@link MAX_REPLAYS} are unfinished
   */
  request(webhookId: string, { from, to }: ReplayDto): Promise<Replay> {
    assertTimeRange({ from, to });
    return this.unitOfWork.run(async () => {
      await this.webhooks.lock(webhookId);
      if ((await this.replays.count(webhookId)) >= MAX_REPLAYS) {
        const message = `At most ${MAX_REPLAYS} replays of a webhook can be unfinished. Wait for one to finish`;
        throw new AppError('CONFLICT', { message });
      }
      const replay = await this.replays.insert({
        id: newId(),
        webhookId,
        from: new Date(from),
        to: new Date(to),
      });
      await this.enqueue(replay.id);
      await this.audit.record({
        action: 'webhook.replay',
        target: webhookTarget(webhookId),
        changes: { from: { from: null, to: from }, to: { from: null, to: replay.to.toISOString() } },
      });
      return replay;
    });
  }

  /** Continues all unfinished replays, also those whose tasks failed too often. */
  async continueAll(): Promise<void> {
    await this.unitOfWork.run(async () => {
      for (const id of await this.replays.findIds()) await this.enqueue(id);
    });
  }

  /** One task at a time waits for a replay. */
  private enqueue(id: string): Promise<void> {
    return this.queue.enqueue(TASK, { id }, `${TASK}:${id}`);
  }

  private async continue(id: string): Promise<void> {
    for (let batch = 1; batch <= BATCHES_PER_TASK; batch++) {
      const again = batch === BATCHES_PER_TASK;
      const finished = await this.unitOfWork.run(() => this.addBatch(id, again));
      this.deliverer.wake();
      if (finished) return;
    }
  }

  /**
   * Adds the deliveries of the next events. The row of the replay says where to go on, so a task that runs twice adds none
   * twice. @returns true if the replay has ended
   */
  private async addBatch(id: string, enqueueRest: boolean): Promise<boolean> {
    const replay = await this.replays.findByIdForUpdate(id);
    const webhook = replay && (await this.repository.findById(replay.webhookId));
    if (!replay || !webhook) return true;
    const ends = await this.endsOf(replay);
    const range = { from: replay.from, to: replay.to, types: webhook.types };
    const events = ends ? await this.events.findInRange(range, ends, BATCH) : [];
    if (events.length > 0) {
      await this.deliveries.wakeLanes(webhook.id, events.map(shownSubject));
      await this.replays.addDeliveries(webhook.id, events);
    }
    const after = events.length < BATCH ? undefined : events.at(-1)?.position;
    if (!ends || !after) {
      await this.replays.delete(id);
      return true;
    }
    await this.replays.update(id, { after: formatPosition(after), last: formatPosition(ends[1]) });
    if (enqueueRest) await this.enqueue(id);
    return false;
  }

  /** Returns the position after which to go on and that of the last event in the range; null for an empty range. */
  private async endsOf({ from, to, after, last }: Replay): Promise<[EventPosition, EventPosition] | null> {
    const known = last === null ? null : parsePosition(last);
    if (known) return [parsePosition(after ?? '') ?? START_POSITION, known];
    const ends = await this.events.findEndsOfRange({ from, to });
    return ends && [before(ends[0]), ends[1]];
  }
}

/** Returns a position before the event at this one and after all events before it. */
const before = ({ epoch, xid, seq }: EventPosition): EventPosition => ({
  epoch,
  xid,
  seq: String(BigInt(seq) - 1n),
});
