import { Injectable } from '@nestjs/common';
import { InjectMetric, makeCounterProvider, makeGaugeProvider } from '@willsoto/nestjs-prometheus';
import { Counter, Gauge } from 'prom-client';
import { MetricsRegistry } from '../../../platform/metrics/metrics.registry.js';
import { PrincipalCache } from './principal.cache.js';
import { type CacheResult, PrincipalsService } from './principals.service.js';

const LOOKUPS = 'principal_cache_lookups_total';
const ENTRIES = 'principal_cache_entries';
const RESULTS: readonly CacheResult[] = ['hit', 'miss', 'bypass'];

/** Shows how often callers are found in the cache. The counts are read at each scrape, so that requests only add numbers. */
@Injectable()
export class PrincipalMetrics {
  private readonly shown: Record<CacheResult, number> = { hit: 0, miss: 0, bypass: 0 };

  constructor(
    private readonly principals: PrincipalsService,
    private readonly cache: PrincipalCache,
    registry: MetricsRegistry,
    @InjectMetric(LOOKUPS) private readonly lookups: Counter,
    @InjectMetric(ENTRIES) private readonly entries: Gauge,
  ) {
    registry.beforeRead(() => this.show());
  }

  private show(): void {
    for (const result of RESULTS) {
      const count = this.principals.lookups[result];
      this.lookups.inc({ result }, count - this.shown[result]);
      this.shown[result] = count;
    }
    this.entries.set(this.cache.size);
  }
}

export const principalMetrics = [
  PrincipalMetrics,
  makeCounterProvider({
    name: LOOKUPS,
    help: 'Look-ups of callers in the cache; bypass while notifications do not arrive',
    labelNames: ['result'],
  }),
  makeGaugeProvider({ name: ENTRIES, help: 'Callers in the cache, including refused ones' }),
];
