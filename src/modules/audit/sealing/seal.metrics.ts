import { Injectable } from '@nestjs/common';
import {
  InjectMetric,
  makeCounterProvider,
  makeGaugeProvider,
  makeHistogramProvider,
} from '@willsoto/nestjs-prometheus';
import { Counter, Gauge, Histogram } from 'prom-client';
import { DURATION_BUCKETS } from '../../../platform/metrics/metric-names.js';
import { StateSampler } from '../../../platform/metrics/state.sampler.js';
import { SealsService } from './seals.service.js';

const LAG = 'seal_lag_seconds';
const DURATION = 'seal_duration_seconds';
const ENTRIES = 'seal_entries_total';

/** Times the seals that this instance writes, and shows how far they are behind. */
@Injectable()
export class SealMetrics {
  constructor(
    seals: SealsService,
    sampler: StateSampler,
    @InjectMetric(LAG) lag: Gauge,
    @InjectMetric(DURATION) private readonly duration: Histogram,
    @InjectMetric(ENTRIES) private readonly entries: Counter,
  ) {
    sampler.add(async () => lag.set(await seals.lagSeconds()));
  }

  /** Counts a seal that was written. */
  sealed(entries: number, durationMs: number): void {
    this.duration.observe(durationMs / 1000);
    this.entries.inc(entries);
  }
}

export const sealMetrics = [
  SealMetrics,
  makeGaugeProvider({ name: LAG, help: 'Age of the oldest audit entry without a seal; 0 if all have one' }),
  makeHistogramProvider({
    name: DURATION,
    help: 'Time to write a seal, on the instance that wrote it',
    buckets: DURATION_BUCKETS,
  }),
  makeCounterProvider({ name: ENTRIES, help: 'Audit entries that this instance has sealed' }),
];
