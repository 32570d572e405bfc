import { Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { InjectMetric } from '@willsoto/nestjs-prometheus';
import type { Gauge } from 'prom-client';
import { SqlRunner } from '../database/sql.runner.js';
import { PeriodicTask } from '../lifecycle/periodic-task.js';
import { HORIZON_LAG } from '../metrics/metric-names.js';
import { BackgroundLogger } from '../logging/background.logger.js';

const SAMPLE_INTERVAL_MS = 5000;
const WARN_AFTER_SECONDS = 10;

/**
 * Selects the horizon and its holder. Only a role with pg_read_all_stats sees when other roles' transactions
 * began. Prepared transactions have their own view.
 */
const SAMPLE = `
  WITH horizon AS (
    SELECT pg_snapshot_xmin(now) AS xid, pg_snapshot_xmin(now) < pg_snapshot_xmax(now) AS held
    FROM pg_current_snapshot() AS now
  ), writers AS (
    SELECT backend_xid AS xid, xact_start AS since, format('pid %s of database %s', pid, datname) AS name
    FROM pg_stat_activity WHERE backend_xid IS NOT NULL
    UNION ALL
    SELECT transaction, prepared, format('prepared transaction %s of database %s', gid, database) FROM pg_prepared_xacts
  )
  SELECT horizon.xid::text, held, name AS holder, extract(epoch FROM clock_timestamp() - since)::float8 AS seconds
  FROM horizon LEFT JOIN writers ON writers.xid = horizon.xid::xid`;

interface Sample {
  readonly xid: string;
  /** True when a transaction that may write is running. */
  readonly held: boolean;
  /** Null when the transaction has ended meanwhile. */
  readonly holder: string | null;
  /** Null when the role may not see it. */
  readonly seconds: number | null;
}

/**
 * Reports how long the oldest writing transaction has delayed events and seals, and which transaction it is.
 */
@Injectable()
export class HorizonMonitor implements OnModuleInit, OnModuleDestroy {
  private readonly logger = new BackgroundLogger(HorizonMonitor.name);
  private readonly task = new PeriodicTask(
    SAMPLE_INTERVAL_MS,
    async () => void (await this.sample()),
    // Without a database this has nothing to report, and other parts log the failure.
    () => {},
  );
  private seen = { xid: '', at: 0 };
  private warnedOf = '';

  constructor(
    private readonly sql: SqlRunner,
    @InjectMetric(HORIZON_LAG) private readonly lag: Gauge,
  ) {}

  onModuleInit(): void {
    this.task.start();
  }

  onModuleDestroy(): Promise<void> {
    return this.task.stop();
  }

  /** Returns the age in seconds. Warns once about each holder that has run for longer than this. */
  async sample(warnAfterSeconds = WARN_AFTER_SECONDS): Promise<number> {
    // If its start is hidden, its age counts from when this instance first saw it, which is too short by one
    // round at most.
    const { xid, held, holder, seconds } = await this.sql.one<Sample>(SAMPLE);
    if (this.seen.xid !== xid) this.seen = { xid, at: performance.now() };
    const lag = held ? (seconds ?? (performance.now() - this.seen.at) / 1000) : 0;
    this.lag.set(lag);
    if (lag <= warnAfterSeconds || this.warnedOf === xid) return lag;
    this.warnedOf = xid;
    const who =
      holder ?? 'a transaction that the role of the service may not see (grant it pg_read_all_stats)';
    this.logger.warn(`events and seals have been held up for ${lag.toFixed(1)} s by ${who}`);
    return lag;
  }
}
