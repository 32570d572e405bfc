/**
 * Whether what was heard up to now is all there was to hear. A heartbeat that has come back proves
 * it for the moment it was sent: notifications arrive in the order of their commits.
 */
export class Lease {
  private provenAt = Number.NEGATIVE_INFINITY;

  constructor(private readonly milliseconds: number) {}

  /** By a clock that never jumps: performance.now(), in milliseconds. */
  prove(sentAt: number): void {
    this.provenAt = Math.max(this.provenAt, sentAt);
  }

  break(): void {
    this.provenAt = Number.NEGATIVE_INFINITY;
  }

  get holds(): boolean {
    return performance.now() - this.provenAt <= this.milliseconds;
  }
}
