import { Injectable } from '@nestjs/common';
import { InjectMetric } from '@willsoto/nestjs-prometheus';
import { Counter, Gauge, Histogram } from 'prom-client';

export const PASSWORD_QUEUE = {
  depth: 'gatehouse_password_queue_depth',
  wait: 'gatehouse_password_queue_wait_seconds',
  rejected: 'gatehouse_password_queue_rejected_total',
} as const;

export type PasswordLaneName = 'own' | 'foreign';

/** Tracks the queues of password hashes. */
@Injectable()
export class PasswordMetrics {
  private readonly depths = new Map<PasswordLaneName, () => number>();

  constructor(
    @InjectMetric(PASSWORD_QUEUE.depth) private readonly depth: Gauge,
    @InjectMetric(PASSWORD_QUEUE.wait) private readonly wait: Histogram,
    @InjectMetric(PASSWORD_QUEUE.rejected) private readonly rejected: Counter,
  ) {}

  /** Shows the queue's depth in every scrape, and starts its other metrics at zero. */
  watch(lane: PasswordLaneName, depth: () => number): void {
    this.depths.set(lane, depth);
    this.rejected.inc({ lane }, 0);
    this.wait.zero({ lane });
  }

  observeWait(lane: PasswordLaneName, seconds: number): void {
    this.wait.observe({ lane }, seconds);
  }

  reject(lane: PasswordLaneName): void {
    this.rejected.inc({ lane });
  }

  readDepths(): void {
    for (const [lane, depth] of this.depths) this.depth.set({ lane }, depth());
  }
}
