import { Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { InjectMetric } from '@willsoto/nestjs-prometheus';
import type { Counter, Gauge } from 'prom-client';
import { PeriodicTask } from '../../../platform/lifecycle/periodic-task.js';
import { DeliveriesRepository } from '../deliveries/deliveries.repository.js';

export const WEBHOOK_METRICS = {
  attempts: 'webhook_attempts_total',
  pending: 'webhook_deliveries_pending',
  dead: 'webhook_deliveries_dead',
  paused: 'webhooks_paused',
  lag: 'webhook_lag_seconds',
} as const;

const SAMPLE_INTERVAL_MS = 15_000;
const OUTCOMES = ['delivered', 'failed', 'dead'] as const;

/** Counts attempts, and shows what waits, what has failed for good and what is paused. */
@Injectable()
export class WebhookMetrics implements OnModuleInit, OnModuleDestroy {
  private readonly task = new PeriodicTask(
    SAMPLE_INTERVAL_MS,
    () => this.sample(),
    // Without a database this has nothing to report, and other parts log the failure.
    () => {},
  );

  constructor(
    private readonly deliveries: DeliveriesRepository,
    @InjectMetric(WEBHOOK_METRICS.attempts) private readonly attempts: Counter,
    @InjectMetric(WEBHOOK_METRICS.pending) private readonly pending: Gauge,
    @InjectMetric(WEBHOOK_METRICS.dead) private readonly dead: Gauge,
    @InjectMetric(WEBHOOK_METRICS.paused) private readonly paused: Gauge,
    @InjectMetric(WEBHOOK_METRICS.lag) private readonly lag: Gauge,
  ) {}

  onModuleInit(): void {
    for (const outcome of OUTCOMES) this.attempts.inc({ outcome }, 0);
    this.task.start();
  }

  onModuleDestroy(): Promise<void> {
    return this.task.stop();
  }

  /** Counts an attempt. The last failed attempt of a delivery counts as `dead`. */
  count(outcome: (typeof OUTCOMES)[number]): void {
    this.attempts.inc({ outcome });
  }

  /** Reads the values that all instances share. */
  async sample(): Promise<void> {
    const { pending, dead, paused, lagSeconds } = await this.deliveries.countForMetrics();
    this.pending.set(pending);
    this.dead.set(dead);
    this.paused.set(paused);
    this.lag.set(lagSeconds);
  }
}
