import type { OutboundOutcome } from './outbound-outcome.js';

const BASE_MS = 100;
/** The statuses of a host that may soon answer: too early, too many requests, and the faults of a moment. */
const PASSING: ReadonlySet<number> = new Set([408, 425, 429, 500, 502, 503, 504]);

/**
 * Returns the time to wait before the next attempt, or null if a further attempt would be futile. `Retry-After` counts
 * if the host sent it. Otherwise the wait is random, up to 100 ms · 2ⁿ.
 * @param retries the number of retries so far (n)
 */
export function retryDelayMs(outcome: OutboundOutcome, retries: number): number | null {
  const jitterMs = Math.random() * BASE_MS * 2 ** retries;
  if (!outcome.ok) return outcome.failure === 'timeout' || outcome.failure === 'connection' ? jitterMs : null;
  if (!PASSING.has(outcome.status)) return null;
  return retryAfterMs(outcome.headers['retry-after']) ?? jitterMs;
}

/** Parses seconds or an HTTP date. Returns null for other text. */
function retryAfterMs(header: string | string[] | undefined): number | null {
  if (typeof header !== 'string') return null;
  if (/^\d{1,9}$/.test(header)) return Number(header) * 1000;
  const at = /^[A-Z][a-z]{2}, /.test(header) ? Date.parse(header) : NaN;
  return Number.isNaN(at) ? null : Math.max(0, at - Date.now());
}
