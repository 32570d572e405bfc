import { Injectable } from '@nestjs/common';
import { register } from 'prom-client';
import { DatabaseMetrics } from './database.metrics.js';
import { PasswordMetrics } from './password.metrics.js';

/** All metrics in the Prometheus text format. */
export interface MetricsText {
  readonly contentType: string;
  readonly text: string;
}

/** Reads the current value of all metrics. */
@Injectable()
export class MetricsRegistry {
  private readonly sources: (() => void | Promise<void>)[] = [];

  constructor(
    private readonly database: DatabaseMetrics,
    private readonly passwords: PasswordMetrics,
  ) {}

  /**
   * Calls `source` before each scrape, to set metrics whose values are kept elsewhere. It must not throw, and must end within
   * a second, because the scrape waits for it.
   */
  beforeRead(source: () => void | Promise<void>): void {
    this.sources.push(source);
  }

  async read(): Promise<MetricsText> {
    this.database.readPool();
    this.passwords.readDepths();
    await Promise.all(this.sources.map(async (source) => source()));
    return { contentType: register.contentType, text: await register.metrics() };
  }
}
