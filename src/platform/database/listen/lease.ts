/**
 * A lease that holds while the instance has received every notification sent up to a recent moment. A
 * heartbeat that has come back proves this for the time it was sent, because notifications arrive in commit
 * order.
 */
export class Lease {
  private renewedAt = Number.NEGATIVE_INFINITY;
  private tookMs = 0;

  constructor(private readonly milliseconds: number) {}

  /** Extends the lease from `sentAt`, a time of a monotonic clock (`performance.now()`, in milliseconds). */
  renew(sentAt: number): void {
    if (sentAt <= this.renewedAt) return;
    this.renewedAt = sentAt;
    this.tookMs = performance.now() - sentAt;
  }

  break(): void {
    this.renewedAt = Number.NEGATIVE_INFINITY;
  }

  get isValid(): boolean {
    return this.ageMs <= this.milliseconds;
  }

  /** The time since the last returned heartbeat was sent; infinite when none has returned. */
  get ageMs(): number {
    return performance.now() - this.renewedAt;
  }

  /** The round-trip time of the last heartbeat. */
  get roundTripMs(): number {
    return this.tookMs;
  }
}
