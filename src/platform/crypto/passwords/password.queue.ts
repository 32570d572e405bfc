import { requestContext } from '../../../common/context/request-context.js';
import { AppError } from '../../../common/errors/app.error.js';
import type { PasswordLaneName, PasswordMetrics } from '../../metrics/password.metrics.js';

/** The longest wait in the queue; after it the client is told to try again. */
const MAX_WAIT_MS = 5000;
/** The time after which the most expensive work precedes the cheapest, so that nothing starves. */
const AGED_AFTER_MS = 4000;

export interface LaneLimits {
  /** The number of hashes that run at once. */
  readonly concurrency: number;
  /** The cost of work that may wait ahead of a newcomer, where one of our own hashes counts as 1. */
  readonly waitingCost: number;
  /** The cost up to which one more hash may run, so that an expensive one does not delay cheap ones. */
  readonly cheapCost?: number;
}

interface Waiting {
  readonly cost: number;
  readonly since: number;
  readonly start: () => void;
}

/**
 * A bounded queue of password hashes, cheapest first. Cost lowers the rank of work and waiting raises it.
 * Work leaves the queue at once when its request times out or its client disconnects.
 */
export class PasswordQueue {
  private readonly waiting = new Set<Waiting>();
  private running = 0;
  private expensiveRunning = 0;

  constructor(
    private readonly name: PasswordLaneName,
    private readonly limits: LaneLimits,
    private readonly metrics: PasswordMetrics,
  ) {
    metrics.watch(name, () => this.waiting.size);
  }

  /**
   * Runs `work` when its turn comes.
   * @throws AppError `OVERLOADED` when too much work waits or its turn does not come within 5 s, `TIMEOUT`
   * when no client waits for the answer any more
   */
  async run<T>(work: () => Promise<T>, cost = 1): Promise<T> {
    const since = performance.now();
    if (this.mayStart(cost)) this.start(cost);
    else {
      if (this.costAheadOf(cost) >= this.limits.waitingCost) throw this.overloaded();
      await this.waitForTurn(cost, since);
    }
    try {
      this.metrics.observeWait(this.name, (performance.now() - since) / 1000);
      return await work();
    } finally {
      this.end(cost);
    }
  }

  private async waitForTurn(cost: number, since: number): Promise<void> {
    const { signal, clientGone: clientLeft } = requestContext.current() ?? {};
    const settled = new AbortController();
    const { promise, resolve, reject } = Promise.withResolvers<undefined>();
    const drop = () => reject(new AppError('TIMEOUT'));
    if (signal?.aborted || clientLeft?.aborted) throw new AppError('TIMEOUT');
    for (const each of [signal, clientLeft])
      each?.addEventListener('abort', drop, { signal: settled.signal });
    const timer = setTimeout(() => reject(this.overloaded()), MAX_WAIT_MS);
    const place = { cost, since, start: () => resolve(undefined) };
    this.waiting.add(place);
    try {
      await promise;
    } finally {
      this.waiting.delete(place);
      clearTimeout(timer);
      settled.abort();
    }
  }

  private end(cost: number): void {
    this.running--;
    if (!this.isCheap(cost)) this.expensiveRunning--;
    for (let next = this.next(); next; next = this.next()) {
      this.waiting.delete(next);
      this.start(next.cost);
      next.start();
    }
  }

  private start(cost: number): void {
    this.running++;
    if (!this.isCheap(cost)) this.expensiveRunning++;
  }

  private next(): Waiting | undefined {
    const now = performance.now();
    const rank = ({ cost, since }: Waiting) => cost * Math.max(1 - (now - since) / AGED_AFTER_MS, 0);
    let first: Waiting | undefined;
    // Iterates in order of arrival, which decides between equal ranks.
    for (const each of this.waiting) {
      if (this.mayStart(each.cost) && (!first || rank(each) < rank(first))) first = each;
    }
    return first;
  }

  private mayStart(cost: number): boolean {
    const { concurrency, cheapCost } = this.limits;
    if (this.running >= (cheapCost === undefined ? concurrency : concurrency + 1)) return false;
    return this.isCheap(cost) || this.expensiveRunning < concurrency;
  }

  private isCheap(cost: number): boolean {
    return cost <= (this.limits.cheapCost ?? Infinity);
  }

  private costAheadOf(newcomer: number): number {
    let ahead = 0;
    for (const { cost } of this.waiting) if (cost <= newcomer) ahead += cost;
    return ahead;
  }

  private overloaded(): AppError {
    this.metrics.reject(this.name);
    return new AppError('OVERLOADED');
  }
}
