import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { OutboundFailure, OutboundOutcome } from './outbound-outcome.js';
import { retryDelayMs } from './retry-delay.js';

const failed = (failure: OutboundFailure): OutboundOutcome => ({
  ok: false,
  failure,
  message: '',
  durationMs: 1,
});
const answered = (status: number, retryAfter?: string): OutboundOutcome => ({
  ok: true,
  status,
  headers: retryAfter === undefined ? {} : { 'retry-after': retryAfter },
  body: Buffer.alloc(0),
  durationMs: 1,
});

describe('retryDelayMs', () => {
  it('draws a random wait of up to 100 ms · 2ⁿ', () => {
    for (const outcome of [failed('timeout'), failed('connection'), answered(500), answered(503, 'soon')]) {
      for (const [retries, limit] of [100, 200, 400].entries()) {
        const delays = Array.from({ length: 200 }, () => retryDelayMs(outcome, retries) ?? NaN);
        expect(Math.min(...delays)).toBeGreaterThanOrEqual(0);
        expect(Math.max(...delays)).toBeLessThan(limit);
        expect(Math.max(...delays)).toBeGreaterThan(limit / 2);
        expect(new Set(delays).size).toBeGreaterThan(100);
      }
    }
  });

  it('waits as long as Retry-After says, in seconds or until a date', () => {
    expect(retryDelayMs(answered(429, '7'), 0)).toBe(7000);
    expect(retryDelayMs(answered(503, '0'), 1)).toBe(0);
    const delay = retryDelayMs(answered(503, new Date(Date.now() + 60_000).toUTCString()), 0);
    expect(delay).toBeGreaterThan(50_000);
    expect(delay).toBeLessThanOrEqual(60_000);
    expect(retryDelayMs(answered(503, 'Sun, 06 Nov 1994 08:49:37 GMT'), 0)).toBe(0);
  });

  it('never waits less than nothing for any Retry-After', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.integer().map(String)), (text) =>
        expect(retryDelayMs(answered(503, text), 0)).toBeGreaterThanOrEqual(0),
      ),
    );
  });

  it('is null where another attempt would be futile', () => {
    for (const status of [200, 301, 400, 401, 404, 501])
      expect(retryDelayMs(answered(status, '1'), 0)).toBeNull();
    for (const failure of ['refused_target', 'too_large', 'invalid_response', 'busy', 'cancelled'] as const)
      expect(retryDelayMs(failed(failure), 0)).toBeNull();
  });
});
