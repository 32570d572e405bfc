import { describe, expect, it } from '@jest/globals';
import { ROOT_CONTEXT } from '@opentelemetry/api';
import { SamplingDecision, TraceIdRatioBasedSampler } from '@opentelemetry/sdk-trace';
import fc from 'fast-check';
import { newTraceIdBytes } from '../../../src/common/context/trace.js';
import { RatioSampler } from '../../../src/platform/telemetry/ratio.sampler.js';

const IDS = 100_000;

/** Returns an id that the sampler reads as this number. */
function idOf(number: number): Buffer {
  const id = Buffer.alloc(16);
  id.writeUInt32BE(0x01_23_45_67, 0);
  id.writeUInt32BE((number ^ 0x01_23_45_67) >>> 0, 12);
  return id;
}

describe('RatioSampler', () => {
  const ratio = fc.oneof(
    fc.double({ min: 0, max: 1, noNaN: true }),
    fc.constantFrom(0, 1, 0.01, 0.5, Number.MIN_VALUE),
  );
  const randomId = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => Buffer.from(bytes));

  it('decides as the sampler of OpenTelemetry, also next to its bound', () => {
    const isTraceId = (id: Buffer) => id.some((byte) => byte !== 0);
    const near = (share: number) =>
      [-1, 0, 1].map((step) => idOf((Math.floor(share * (2 ** 32 - 1)) + step) >>> 0));
    fc.assert(
      fc.property(ratio, randomId, (share, id) => {
        const ours = new RatioSampler(share);
        const theirs = new TraceIdRatioBasedSampler(share);
        for (const each of [id, ...near(share)].filter(isTraceId)) {
          const { decision } = theirs.shouldSample(ROOT_CONTEXT, each.toString('hex'));
          expect(ours.samples(each)).toBe(decision === SamplingDecision.RECORD_AND_SAMPLED);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('decides the same for the same id, and records with a larger share what a smaller one records', () => {
    fc.assert(
      fc.property(ratio, ratio, randomId, (one, other, id) => {
        const [smaller, larger] = one < other ? [one, other] : [other, one];
        const sampler = new RatioSampler(smaller);
        expect(sampler.samples(Buffer.from(id))).toBe(sampler.samples(id));
        if (sampler.samples(id)) expect(new RatioSampler(larger).samples(id)).toBe(true);
      }),
    );
  });

  it.each([0, 0.01, 0.25, 1])('records a share of %d of our own ids', (share) => {
    const sampler = new RatioSampler(share);
    let recorded = 0;
    for (let count = 0; count < IDS; count++) if (sampler.samples(newTraceIdBytes())) recorded++;
    // Six standard deviations: chance exceeds them once in 500 million runs.
    const tolerance = 6 * Math.sqrt(IDS * share * (1 - share));
    expect(Math.abs(recorded - IDS * share)).toBeLessThanOrEqual(tolerance);
  });
});
