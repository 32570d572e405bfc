import { Injectable } from '@nestjs/common';
import { InjectMetric } from '@willsoto/nestjs-prometheus';
import { Gauge, Histogram } from 'prom-client';
import type { Pool } from 'pg';

export const DB_DURATION = 'db_query_duration_seconds';
export const DB_POOL = {
  total: 'db_pool_connections_total',
  idle: 'db_pool_connections_idle',
  active: 'db_pool_connections_active',
  waiting: 'db_pool_connections_waiting',
} as const;

/** Measures the duration of every statement, and reads the pool's state on each scrape. */
@Injectable()
export class DatabaseMetrics {
  private pool: Pool | null = null;

  constructor(
    @InjectMetric(DB_DURATION) private readonly duration: Histogram,
    @InjectMetric(DB_POOL.total) private readonly total: Gauge,
    @InjectMetric(DB_POOL.idle) private readonly idle: Gauge,
    @InjectMetric(DB_POOL.active) private readonly active: Gauge,
    @InjectMetric(DB_POOL.waiting) private readonly waiting: Gauge,
  ) {}

  readonly observeQuery = (operation: string, seconds: number): void => {
    this.duration.observe({ operation }, seconds);
  };

  /** Sets the pool whose state the gauges show. */
  watch(pool: Pool): void {
    this.pool = pool;
  }

  readPool(): void {
    if (!this.pool) return;
    const { totalCount, idleCount, waitingCount } = this.pool;
    this.total.set(totalCount);
    this.idle.set(idleCount);
    this.active.set(totalCount - idleCount);
    this.waiting.set(waitingCount);
  }
}
