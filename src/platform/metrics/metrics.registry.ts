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
  constructor(
    private readonly database: DatabaseMetrics,
    private readonly passwords: PasswordMetrics,
  ) {}

  async read(): Promise<MetricsText> {
    this.database.readPool();
    this.passwords.readDepths();
    return { contentType: register.contentType, text: await register.metrics() };
  }
}
