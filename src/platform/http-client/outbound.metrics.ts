import { Injectable } from '@nestjs/common';
import {
  InjectMetric,
  makeCounterProvider,
  makeGaugeProvider,
  makeHistogramProvider,
} from '@willsoto/nestjs-prometheus';
import { Counter, Gauge, Histogram } from 'prom-client';
import { DURATION_BUCKETS } from '../metrics/metric-names.js';
import type { OutboundOutcome } from './outbound-outcome.js';

const REQUESTS = 'outbound_requests_total';
const DURATION = 'outbound_request_duration_seconds';
const BREAKERS = 'outbound_breakers';
const CACHE = 'outbound_cache_lookups_total';

/**
 * The origin of a target: an address that the operator configured, or one that a person gave. Host names are no labels,
 * because their number has no bound.
 */
export type HostClass = 'configured' | 'given';
export type BreakerState = 'closed' | 'half_open' | 'open';

/** Counts requests to other systems. */
@Injectable()
export class OutboundMetrics {
  constructor(
    @InjectMetric(REQUESTS) private readonly requests: Counter,
    @InjectMetric(DURATION) private readonly duration: Histogram,
    @InjectMetric(BREAKERS) private readonly breakers: Gauge,
    @InjectMetric(CACHE) private readonly lookups: Counter,
  ) {}

  observe(hostClass: HostClass, outcome: OutboundOutcome): void {
    const result = outcome.ok ? `${Math.floor(outcome.status / 100)}xx` : outcome.failure;
    this.requests.inc({ host_class: hostClass, outcome: result });
    this.duration.observe({ host_class: hostClass }, outcome.durationMs / 1000);
  }

  /** Counts a request that an open breaker refused. Only configured hosts have a breaker. */
  rejectedByBreaker(): void {
    this.requests.inc({ host_class: 'configured', outcome: 'breaker_open' });
  }

  showBreakers(counts: Readonly<Record<BreakerState, number>>): void {
    for (const [state, count] of Object.entries(counts)) this.breakers.set({ state }, count);
  }

  lookedUp(result: 'hit' | 'miss' | 'shared'): void {
    this.lookups.inc({ result });
  }
}

export const outboundMetrics = [
  OutboundMetrics,
  makeCounterProvider({
    name: REQUESTS,
    help: 'Requests to other systems, each attempt for itself',
    labelNames: ['host_class', 'outcome'],
  }),
  makeHistogramProvider({
    name: DURATION,
    help: 'Time from the start of an attempt to the end of its response',
    labelNames: ['host_class'],
    buckets: DURATION_BUCKETS,
  }),
  makeGaugeProvider({
    name: BREAKERS,
    help: 'Hosts by the state of their circuit breaker',
    labelNames: ['state'],
  }),
  makeCounterProvider({
    name: CACHE,
    help: 'Lookups in the cache of responses; shared ones waited for a request in progress',
    labelNames: ['result'],
  }),
];
