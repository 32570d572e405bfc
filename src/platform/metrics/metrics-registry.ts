import { Injectable } from '@nestjs/common';
import { register } from 'prom-client';
import { DatabaseMetrics } from './database-metrics.js';
import { PasswordMetrics } from './password-metrics.js';

/** All metrics in the text format of Prometheus. */
export interface MetricsText {
  readonly contentType: string;
  readonly text: string;
}

/** Reads all metrics as they are now. */
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
