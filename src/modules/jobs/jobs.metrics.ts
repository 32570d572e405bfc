import { Injectable } from '@nestjs/common';
import { InjectMetric, makeCounterProvider, makeGaugeProvider } from '@willsoto/nestjs-prometheus';
import { Counter, Gauge } from 'prom-client';
import { StateSampler } from '../../platform/metrics/state.sampler.js';
import { JobsRepository } from './storage/jobs.repository.js';

const OPEN = 'jobs_open';
const OLDEST = 'jobs_oldest_seconds';
const ENDED = 'jobs_ended_total';

/** Counts the jobs that this instance ends, and shows what waits on all instances. */
@Injectable()
export class JobsMetrics {
  constructor(
    private readonly jobs: JobsRepository,
    sampler: StateSampler,
    @InjectMetric(OPEN) private readonly open: Gauge,
    @InjectMetric(OLDEST) private readonly oldest: Gauge,
    @InjectMetric(ENDED) private readonly ends: Counter,
  ) {
    for (const status of ['succeeded', 'failed']) ends.inc({ status }, 0);
    sampler.add(() => this.sample());
  }

  ended(status: 'succeeded' | 'failed'): void {
    this.ends.inc({ status });
  }

  private async sample(): Promise<void> {
    const { queued, running, oldestSeconds } = await this.jobs.readState();
    this.open.set({ status: 'queued' }, queued);
    this.open.set({ status: 'running' }, running);
    this.oldest.set(oldestSeconds);
  }
}

export const jobsMetrics = [
  JobsMetrics,
  makeGaugeProvider({ name: OPEN, help: 'Unfinished jobs, up to 10,000', labelNames: ['status'] }),
  makeGaugeProvider({ name: OLDEST, help: 'Time for which the oldest queued job has waited' }),
  makeCounterProvider({
    name: ENDED,
    help: 'Jobs that ran to their end on this instance',
    labelNames: ['status'],
  }),
];
