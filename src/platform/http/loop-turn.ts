/** A turn of the event loop that handles requests for longer than this is long. */
const LONG_TURN_MS = 100;
/** Long turns, one after the other, for this time are no burst any more. */
const STRAINED_AFTER_MS = 1000;

/**
 * Watches how long the event loop handles requests before it turns. Requests at the end of a long turn have waited
 * for all those before them, and those that arrive meanwhile will.
 */
export class LoopTurn {
  private beganAt: number | null = null;
  /** The beginning of the first of the long turns that followed each other until now; null while turns are short. */
  private longSince: number | null = null;
  private endedAt = 0;

  /** To be called for each request. Tells whether this one comes too late in its turn to be served. */
  isOver(): boolean {
    const now = performance.now();
    if (this.beganAt === null) this.begin(now);
    const began = this.beganAt ?? now;
    return now - began > LONG_TURN_MS && this.longSince !== null && now - this.longSince > STRAINED_AFTER_MS;
  }

  private begin(now: number): void {
    this.beganAt = now;
    // The loop had nothing to do in between.
    if (now - this.endedAt > LONG_TURN_MS) this.longSince = null;
    setImmediate(() => this.end());
  }

  private end(): void {
    const began = this.beganAt ?? 0;
    this.beganAt = null;
    this.endedAt = performance.now();
    if (this.endedAt - began <= LONG_TURN_MS) this.longSince = null;
    else this.longSince ??= began;
  }
}
