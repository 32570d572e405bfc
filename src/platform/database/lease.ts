/**
 * A lease that holds while the instance has received every notification sent up to a recent moment. A
 * heartbeat that has come back proves this for the time it was sent, because notifications arrive in commit
 * order.
 */
export class Lease {
  private provenAt = Number.NEGATIVE_INFINITY;
  private tookMs = 0;

  constructor(private readonly milliseconds: number) {}

  /** Extends the lease from `sentAt`, a time of a monotonic clock (`performance.now()`, in milliseconds). */
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

  /** The time since the last returned heartbeat was sent; infinite when none has returned. */
  get ageMs(): number {
    return performance.now() - this.provenAt;
  }

  /** The round-trip time of the last heartbeat. */
  get roundTripMs(): number {
    return this.tookMs;
  }
}
