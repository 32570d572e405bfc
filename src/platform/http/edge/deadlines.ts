import { requestContext } from '../../../common/context/request-context.js';

/** Work that ends at its time limit. */
export interface Expiring {
  readonly startedAt: number;
  timeOut(): void;
}

/**
 * Watches the time limits of all requests with one timer. As every request has the same limit, they end in the order in
 * which they came.
 */
export class Deadlines<Each extends Expiring> {
  private readonly waiting = new Set<Each>();
  private timer: NodeJS.Timeout | null = null;

  /** Takes `run`, which runs work in the context of one request. */
  constructor(
    private readonly limitMs: number,
    private readonly run: (each: Each, work: () => void) => void,
  ) {}

  add(each: Each): void {
    this.waiting.add(each);
    if (this.timer === null) this.wait(this.limitMs);
  }

  delete(each: Each): void {
    this.waiting.delete(each);
  }

  /** The timer belongs to no request, although a request starts it. */
  private wait(ms: number): void {
    this.timer = requestContext.outside(() => setTimeout(() => this.expire(), ms));
    this.timer.unref();
  }

  private expire(): void {
    this.timer = null;
    const now = performance.now();
    for (const each of this.waiting) {
      const left = each.startedAt + this.limitMs - now;
      if (left > 0) return this.wait(Math.ceil(left));
      this.waiting.delete(each);
      this.run(each, () => each.timeOut());
    }
  }
}
