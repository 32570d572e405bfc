import { type BeforeApplicationShutdown, Injectable, type OnModuleInit } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { InjectMetric } from '@willsoto/nestjs-prometheus';
import type { Counter } from 'prom-client';
import { connectionFailure } from '../../common/errors/connection-failure.js';
import { withTimeout } from '../../common/with-timeout.js';
import type { Config } from '../../config/config.js';
import { InjectConfig } from '../../config/config.module.js';
import { BackgroundLogger } from '../logging/background.logger.js';
import type { OtlpTracer } from './otlp.tracer.js';
import { traceBus } from './trace-bus.js';
import { tracing } from './tracing.js';

/** Counts the spans that were recorded and not sent. */
export const SPANS_DROPPED = 'otel_spans_dropped_total';

/** The time for the last spans when the service stops. It is short, because the deadline of a stop counts on. */
const FLUSH_MS = 1000;
/** The least time between two warnings, for a receiver that fails now and then. */
const WARN_INTERVAL_MS = 60_000;

/** Turns tracing on when a collector is configured, and sends the last spans before the connections are closed. */
@Injectable()
export class Telemetry implements OnModuleInit, BeforeApplicationShutdown {
  private readonly logger = new BackgroundLogger(Telemetry.name);
  private tracer: OtlpTracer | null = null;
  private failing = false;
  private warnedAt = -Infinity;

  constructor(
    @InjectConfig() private readonly config: Config,
    @InjectMetric(SPANS_DROPPED) private readonly dropped: Counter,
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  async onModuleInit(): Promise<void> {
    const { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint } = this.config;
    if (endpoint === undefined) return;
    const { OtlpTracer } = await import('./otlp.tracer.js');
    this.tracer = new OtlpTracer(
      { ...this.config, OTEL_EXPORTER_OTLP_ENDPOINT: endpoint },
      {
        dropped: (count) => this.dropped.inc(count),
        sent: () => (this.failing = false),
        failed: (error) => this.warn(error),
      },
    );
    traceBus(this.commands, 'command');
    traceBus(this.queries, 'query');
    tracing.install(this.tracer);
  }

  /** Runs after the tasks were put back and before the pool is closed. */
  async beforeApplicationShutdown(): Promise<void> {
    if (this.tracer === null) return;
    tracing.install(undefined);
    const slow = () => new Error(`the collector did not take the last spans within ${FLUSH_MS} ms`);
    // A failure is already logged, and a slow collector must not delay the stop.
    await withTimeout(this.tracer.close(), FLUSH_MS, slow).catch(() => {});
  }

  /** Logs the first failure of an outage. */
  private warn(error: Error): void {
    if (this.failing) return;
    this.failing = true;
    if (performance.now() < this.warnedAt + WARN_INTERVAL_MS) return;
    this.warnedAt = performance.now();
    this.logger.warn(
      `spans are dropped, because OTEL_EXPORTER_OTLP_ENDPOINT does not take them: ${reasonOf(error)}`,
    );
  }
}

/** Returns the status of the response, or what is wrong with the connection. */
const reasonOf = (error: Error): string =>
  'code' in error && typeof error.code === 'number' ? `status ${error.code}` : connectionFailure(error);
