import { Injectable } from '@nestjs/common';
import { InjectMetric, makeCounterProvider, makeGaugeProvider } from '@willsoto/nestjs-prometheus';
import { Counter, Gauge } from 'prom-client';

const OPEN = 'event_streams_open';
const SENT = 'event_stream_events_total';
const CLOSED = 'event_streams_closed_total';

export type StreamKind = 'sse' | 'websocket';

/**
 * The reason for which a stream ended: by the client, because the session or the right ended, a slow reader, a stop of the
 * instance, a client that broke the protocol or did not answer, or an error.
 */
export type CloseReason = 'client' | 'session' | 'slow' | 'stop' | 'policy' | 'dead' | 'error';

/** Counts open streams and what they deliver. No label names a person, so the number of series is fixed. */
@Injectable()
export class LiveEventsMetrics {
  constructor(
    @InjectMetric(OPEN) private readonly open: Gauge,
    @InjectMetric(SENT) private readonly events: Counter,
    @InjectMetric(CLOSED) private readonly closes: Counter,
  ) {}

  opened(kind: StreamKind): void {
    this.open.inc({ kind });
  }

  sent(kind: StreamKind, events: number): void {
    if (events > 0) this.events.inc({ kind }, events);
  }

  /** Counts the end of a stream when it is decided. The reader may still have to take the last message. */
  ending(kind: StreamKind, reason: CloseReason): void {
    this.closes.inc({ kind, reason });
  }

  closed(kind: StreamKind): void {
    this.open.dec({ kind });
  }
}

export const liveEventsMetrics = [
  LiveEventsMetrics,
  makeGaugeProvider({ name: OPEN, help: 'Open event streams by kind: sse, websocket', labelNames: ['kind'] }),
  makeCounterProvider({
    name: SENT,
    help: 'Events sent to the readers of event streams',
    labelNames: ['kind'],
  }),
  makeCounterProvider({
    name: CLOSED,
    help: 'Event streams that ended, by reason: client, session, slow, stop, policy, dead, error',
    labelNames: ['kind', 'reason'],
  }),
];
