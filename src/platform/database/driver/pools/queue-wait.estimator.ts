/** The longest expected wait while the queue was recently empty: a burst is served, if late. */
const BURST_WAIT_MS = 2000;
/** The longest expected wait once the queue is persistent: a longer one would serve no caller sooner. */
const STANDING_WAIT_MS = 300;
/** A queue that has not been empty for this long is persistent. */
const STANDING_AFTER_MS = 1000;
/** If no connection returns for this long, the measured pace no longer applies. */
const STALLED_AFTER_MS = 1000;
/** The assumed hold time of one connection until the first are measured. */
const ASSUMED_USE_MS = 20;
/** The weight of a new interval in the measured pace. */
const SMOOTHING = 1 / 32;
/** A bound on memory, however fast the queue moves. */
const MAX_WAITING = 10_000;

/**
 * Estimates the time that one more caller would wait for a pool connection: the number of waiting callers
 * multiplied by the time between two returned connections. That time is measured only while callers wait,
 * because only then does it show the pool's capacity.
 */
export class QueueWaitEstimator {
  private returnEveryMs: number;
  private lastReturnAt: number;
  private lastEmptyAt: number;
  /** True if callers were waiting when the last connection was returned. */
  private busy = false;

  /** Takes `now`, a monotonic clock in milliseconds. */
  constructor(
    private readonly connections: number,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.returnEveryMs = ASSUMED_USE_MS / connections;
    this.lastReturnAt = this.lastEmptyAt = now();
  }

  /** Records a returned connection and the number of callers waiting at that moment. */
  returned(waiting: number): void {
    const now = this.now();
    if (this.busy) this.returnEveryMs += (now - this.lastReturnAt - this.returnEveryMs) * SMOOTHING;
    this.busy = waiting > 0;
    this.lastReturnAt = now;
    if (waiting === 0) this.lastEmptyAt = now;
  }

  /**
   * Tells whether one more caller may join the waiting ones while `inUse` connections are in use. As many callers as
   * connections are always admitted: they keep the connections busy, and the connection timeout bounds their wait.
   */
  admits(waiting: number, inUse = 0): boolean {
    const now = this.now();
    // With all connections in use, the line may be empty only because its callers gave up.
    if (waiting === 0 && inUse < this.connections) this.lastEmptyAt = now;
    if (waiting < this.connections) return true;
    const standing = now - this.lastEmptyAt > STANDING_AFTER_MS;
    if (waiting >= MAX_WAITING || (standing && now - this.lastReturnAt > STALLED_AFTER_MS)) return false;
    return waiting * this.returnEveryMs <= (standing ? STANDING_WAIT_MS : BURST_WAIT_MS);
  }
}
