/**
 * Whether what was heard up to now is all there was to hear. A heartbeat that has come back proves
 * it for the moment it was sent: notifications arrive in the order of their commits.
 */
export class Lease {
  private provenAt = Number.NEGATIVE_INFINITY;
  private tookMs = 0;

  constructor(private readonly milliseconds: number) {}

  /** By a clock that never jumps: performance.now(), in milliseconds. */
  prove(sentAt: number): void {
    if (sentAt <= this.provenAt) return;
    this.provenAt = sentAt;
    this.tookMs = performance.now() - sentAt;
  }

  break(): void {
    this.provenAt = Number.NEGATIVE_INFINITY;
  }

  get holds(): boolean {
    return this.ageMs <= this.milliseconds;
  }

  /** Time since the last heartbeat that has come back was sent; infinite when there is none. */
  get ageMs(): number {
    return performance.now() - this.provenAt;
  }

  /** Time that the last heartbeat took to come back. */
  get roundTripMs(): number {
    return this.tookMs;
  }
}
