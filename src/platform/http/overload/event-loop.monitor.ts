/** A turn of the event loop that handles requests for longer than this is long. */
const LONG_TURN_MS = 100;
/** Consecutive long turns for this time are more than a burst. */
const STRAINED_AFTER_MS = 1000;

/**
 * Measures how long the event loop handles requests before it turns. Requests at the end of a long turn have
 * waited for all those before them, and requests that arrive meanwhile will wait too.
 */
export class EventLoopMonitor {
  private beganAt: number | null = null;
  /** The start of the first turn in the current series of long turns; null while turns are short. */
  private longSince: number | null = null;
  private endedAt = 0;

  /** Tells whether this request comes too late in its turn to be served. Must be called for each request. */
  isOver(): boolean {
    const now = performance.now();
    if (this.beganAt === null) this.begin(now);
    const began = this.beganAt ?? now;
    return now - began > LONG_TURN_MS && this.longSince !== null && now - this.longSince > STRAINED_AFTER_MS;
  }

  private begin(now: number): void {
    this.beganAt = now;
    // The loop was idle in between.
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
