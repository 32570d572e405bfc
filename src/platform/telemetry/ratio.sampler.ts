const ALL = 2 ** 32;

/**
 * Decides by the trace id alone, so that every service that counts in this way decides the same. Its decisions are those
 * of OpenTelemetry's `TraceIdRatioBasedSampler`.
 */
export class RatioSampler {
  private readonly bound: number;

  /** `ratio` is the share of traces to record, from 0 to 1. */
  constructor(ratio: number) {
    this.bound = ratio === 1 ? ALL : Math.floor(ratio * (ALL - 1));
  }

  /** Takes the 16 bytes of a trace id. */
  samples(id: Buffer): boolean {
    const mixed = id.readUInt32BE(0) ^ id.readUInt32BE(4) ^ id.readUInt32BE(8) ^ id.readUInt32BE(12);
    return mixed >>> 0 < this.bound;
  }
}
