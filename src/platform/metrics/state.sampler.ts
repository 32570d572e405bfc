import { Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { PeriodicTask } from '../lifecycle/periodic-task.js';

const SAMPLE_INTERVAL_MS = 10_000;

/**
 * Reads from the database what all instances share, such as the length of a queue, for metrics. Reads at an interval rather
 * than at each scrape, so that neither the number of scrapers nor a slow database matters to either.
 */
@Injectable()
export class StateSampler implements OnModuleInit, OnModuleDestroy {
  private readonly readers: (() => Promise<void>)[] = [];
  private readonly task = new PeriodicTask(
    SAMPLE_INTERVAL_MS,
    () => this.sample(),
    // Without a database this has nothing to report, and other parts log the failure.
    () => {},
  );

  /** Adds a reader. Its statements must be cheap however much there is to count. */
  add(reader: () => Promise<void>): void {
    this.readers.push(reader);
  }

  onModuleInit(): void {
    this.task.start();
  }

  onModuleDestroy(): Promise<void> {
    return this.task.stop();
  }

  /** Runs all readers, one after another, so that they never take more than one connection. */
  async sample(): Promise<void> {
    for (const read of this.readers) await read();
  }
}
