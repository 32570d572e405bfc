import PQueue from 'p-queue';
import { requestContext } from '../../common/context/request-context.js';
import { AppError } from '../../common/errors/app-error.js';
import type { PasswordLaneName, PasswordMetrics } from '../metrics/password-metrics.js';

export interface LaneLimits {
  /** Hashes that run at once. */
  readonly concurrency: number;
  /** Work that may wait, where one of our own hashes counts as 1. */
  readonly waitingCost: number;
}

/** A bounded queue of password hashes, first come, first served. */
export class PasswordLane {
  private readonly queue: PQueue;
  private waitingCost = 0;

  constructor(
    private readonly name: PasswordLaneName,
    private readonly limits: LaneLimits,
    private readonly metrics: PasswordMetrics,
  ) {
    this.queue = new PQueue({ concurrency: limits.concurrency });
    metrics.watch(name, () => this.queue.size);
  }

  /** @throws AppError `OVERLOADED` when too much work waits, `TIMEOUT` when the request ended while it waited */
  run<T>(work: () => Promise<T>, cost = 1): Promise<T> {
    if (this.waitingCost >= this.limits.waitingCost) {
      this.metrics.reject(this.name);
      throw new AppError('OVERLOADED');
    }
    const { signal } = requestContext.current() ?? {};
    const since = performance.now();
    this.waitingCost += cost;
    return this.queue.add(() => {
      this.waitingCost -= cost;
      this.metrics.observeWait(this.name, (performance.now() - since) / 1000);
      // Nobody reads the answer any more, and the requests behind this one are served sooner.
      if (signal?.aborted) throw new AppError('TIMEOUT');
      return work();
    });
  }
}
