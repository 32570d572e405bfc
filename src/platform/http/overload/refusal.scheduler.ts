/** Part of the time of a turn of the event loop that may be spent on refusals. Reading them costs as much again. */
const TURN_SHARE = 1 / 24;
/** Enough time for about two refusals, so that even a short turn sends some. */
const MIN_BUDGET_MS = 0.1;
/** While the database has served nothing for this long, refusals take no time from other requests. */
const STALLED_AFTER_MS = 100;
/** A bound on memory; beyond it the oldest refusal is sent at once. */
const MAX_WAITING = 20_000;

/**
 * Spreads refusals over the turns of the event loop. Each turn serves as many requests as the database has
 * answered meanwhile, so a turn full of refusals would leave the database idle. While the database answers
 * nothing, refusals are not held back.
 */
export class RefusalScheduler {
  /** Held refusals in order of arrival. */
  private readonly waiting = new Set<() => void>();
  private scheduled = false;
  private lastTurnAt = 0;
  private lastServed = 0;
  private servedAt = -Infinity;

  /** Takes `served`, which returns the number of requests that the database has served so far. */
  constructor(private readonly served: () => number) {}

  /** Calls `refuse` at once while the database serves nothing, otherwise at the end of this or a later turn. */
  add(refuse: () => void): void {
    if (this.waiting.size === 0 && this.isStalled(performance.now())) return refuse();
    this.waiting.add(refuse);
    if (this.waiting.size > MAX_WAITING) this.send(1, Infinity);
    if (this.scheduled) return;
    this.lastTurnAt = performance.now();
    this.schedule();
  }

  private schedule(): void {
    this.scheduled = true;
    setImmediate(() => this.turn());
  }

  private turn(): void {
    this.scheduled = false;
    const began = performance.now();
    const budgetMs = this.isStalled(began)
      ? Infinity
      : Math.max(MIN_BUDGET_MS, (began - this.lastTurnAt) * TURN_SHARE);
    this.send(Infinity, began + budgetMs);
    this.lastTurnAt = performance.now();
    if (this.waiting.size > 0) this.schedule();
  }

  private isStalled(now: number): boolean {
    const served = this.served();
    if (served !== this.lastServed) this.servedAt = now;
    this.lastServed = served;
    return now - this.servedAt > STALLED_AFTER_MS;
  }

  private send(count: number, until: number): void {
    let left = count;
    for (const refuse of this.waiting) {
      this.waiting.delete(refuse);
      refuse();
      left--;
      if (left === 0 || performance.now() > until) return;
    }
  }
}
