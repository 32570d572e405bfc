import { randomUUID } from 'node:crypto';
import { Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { InjectMetric } from '@willsoto/nestjs-prometheus';
import type { Counter, Gauge } from 'prom-client';
import { connectionFailure } from '../../common/errors/connection-failure.js';
import { type EventPosition, formatPosition, isAfter, START_POSITION } from '../../common/event-position.js';
import type { Config } from '../../config/config.js';
import { InjectConfig } from '../../config/config.module.js';
import { EventStore, shownSubject, type StoredEvent } from '../event-store/event-store.js';
import { PeriodicTask } from '../lifecycle/periodic-task.js';
import { BackgroundLogger } from '../logging/background.logger.js';
import { SINK_LAG, SINK_SENT } from '../metrics/metric-names.js';
import { entryIdOf, positionOfEntry } from './entry-id.js';
import { RedisStream, type StreamEntry } from './redis-stream.js';

const INTERVAL_MS = 500;
const TRIM_INTERVAL_MS = 60_000;
const MAX_BATCH = 200;
const KEPT_MS = 24 * 60 * 60 * 1000;
/** The place of the time among the names and values of an entry. */
const TIME = 9;

/**
 * Sends the events to a Redis stream, in the order of the feed and at least once. One instance sends at a time. It goes on
 * after the last entry that Redis has, so it needs no memory of its own, and sends again what Redis has lost. A stream that
 * is new gets the events of the last 24 hours. Entries leave the stream 24 hours after their event.
 */
@Injectable()
export class EventSink implements OnModuleInit, OnModuleDestroy {
  private readonly logger = new BackgroundLogger(EventSink.name);
  private readonly task = new PeriodicTask(
    INTERVAL_MS,
    () => this.attempt(),
    (error) =>
      this.logger.warn(
        `Events cannot be sent to Redis; trying again every ${INTERVAL_MS} ms: ${connectionFailure(error)}`,
      ),
  );
  private stream: RedisStream | null = null;
  private trimmedAt = -Infinity;
  /** The end of what this instance has sent; null while another one sends. */
  private sentTo: EventPosition | null = null;

  constructor(
    @InjectConfig() private readonly config: Config,
    private readonly events: EventStore,
    @InjectMetric(SINK_SENT) private readonly sent: Counter,
    @InjectMetric(SINK_LAG) private readonly lag: Gauge,
  ) {}

  async onModuleInit(): Promise<void> {
    const { REDIS_URL: url, EVENTS_REDIS_STREAM: key } = this.config;
    if (url === undefined || key === undefined) return;
    this.stream = await RedisStream.at(url, key, randomUUID());
    this.task.start();
  }

  async onModuleDestroy(): Promise<void> {
    await this.task.stop();
    await this.stream?.close().catch(() => {});
  }

  private async attempt(): Promise<void> {
    const { stream } = this;
    if (!stream) return;
    let isUpToDate = false;
    try {
      const last = await stream.claim();
      if (last === null) this.sentTo = null;
      else isUpToDate = await this.send(stream, last);
    } finally {
      if (isUpToDate) this.lag.set(0);
      else await this.measureLag();
    }
  }

  /**
   * Sends what follows the entry `last`, and trims the stream from time to time.
   * @returns true if Redis then has every event that the feed could show
   */
  private async send(stream: RedisStream, last: string): Promise<boolean> {
    this.sentTo = await this.beginningAfter(positionOfEntry(last));
    let end = last;
    let batch: StoredEvent[];
    do {
      batch = await this.findAfter(this.sentTo);
      const newest = batch.at(-1);
      if (!newest) break;
      if (!(await stream.append(end, batch.map(this.entryOf)))) return false;
      this.sent.inc(batch.length);
      this.sentTo = newest.position;
      end = entryIdOf(newest.position);
    } while (batch.length === MAX_BATCH && !this.task.stopping);
    await this.trim(stream);
    return batch.length < MAX_BATCH;
  }

  private async measureLag(): Promise<void> {
    const [waiting] = this.sentTo ? await this.events.findSettledWithoutData(this.sentTo, 1) : [];
    this.lag.set(waiting ? Math.max(0, Date.now() - waiting.occurredAt.getTime()) / 1000 : 0);
  }

  /** Returns where to go on. A stream without an entry that was made from an event begins 24 hours ago. */
  private async beginningAfter(position: EventPosition): Promise<EventPosition> {
    if (isAfter(position, START_POSITION)) return position;
    return this.events.findEndBefore(new Date(Date.now() - KEPT_MS));
  }

  private findAfter(position: EventPosition): Promise<StoredEvent[]> {
    return this.config.EVENTS_REDIS_PERSONAL_DATA
      ? this.events.findSettled(position, {}, MAX_BATCH)
      : this.events.findSettledWithoutData(position, MAX_BATCH);
  }

  private readonly entryOf = (event: StoredEvent): StreamEntry => {
    const { id, type, position, occurredAt, data } = event;
    return [
      entryIdOf(position),
      'id',
      id,
      'type',
      type,
      'position',
      formatPosition(position),
      'subject',
      shownSubject(event),
      'time',
      occurredAt.toISOString(),
      ...(this.config.EVENTS_REDIS_PERSONAL_DATA ? ['data', JSON.stringify(data)] : []),
    ];
  };

  private async trim(stream: RedisStream): Promise<void> {
    if (performance.now() - this.trimmedAt < TRIM_INTERVAL_MS) return;
    const oldest = new Date(Date.now() - KEPT_MS).toISOString();
    await stream.trim((fields) => (fields[TIME] ?? '') >= oldest);
    this.trimmedAt = performance.now();
  }
}
