/** Longest expected wait while the line has been empty a moment ago: a burst is served, if late. */
const BURST_WAIT_MS = 2000;
/** Longest expected wait once the line stands: more waiting serves nobody sooner. */
const STANDING_WAIT_MS = 300;
/** A line that nobody has seen empty for this long stands. */
const STANDING_AFTER_MS = 1000;
/** Without any connection returned for this long the measured pace means nothing. */
const STALLED_AFTER_MS = 1000;
/** Assumed use of one connection until the first ones are measured. */
const ASSUMED_USE_MS = 20;
/** Weight of one more interval in the measured pace. */
const SMOOTHING = 1 / 32;
/** Bounds memory, however fast the line moves. */
const MAX_WAITING = 10_000;

/**
 * Estimates how long one more caller would wait for a connection of a pool: the number of callers in the line
 * multiplied by the time between two returned connections. The time is measured while callers wait, because only
 * then does it show what the pool can do.
 */
export class WaitingLine {
  private returnEveryMs: number;
  private lastReturnAt: number;
  private lastEmptyAt: number;
  /** Whether callers were waiting when the last connection came back. */
  private busy = false;

  /** `now` is a clock that never jumps, in milliseconds. */
  constructor(
    private readonly connections: number,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.returnEveryMs = ASSUMED_USE_MS / connections;
    this.lastReturnAt = this.lastEmptyAt = now();
  }

  /** Records that a connection came back while so many callers waited. */
  returned(waiting: number): void {
    const now = this.now();
    if (this.busy) this.returnEveryMs += (now - this.lastReturnAt - this.returnEveryMs) * SMOOTHING;
    this.busy = waiting > 0;
    this.lastReturnAt = now;
    if (waiting === 0) this.lastEmptyAt = now;
  }

  /**
   * Tells whether one more caller may join the callers that wait while `inUse` connections are in use. One caller for
   * each connection always may: they keep the connections busy, and the connection timeout bounds their wait.
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
