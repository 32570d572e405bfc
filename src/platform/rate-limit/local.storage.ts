import type { ThrottlerStorage } from '@nestjs/throttler';
import { LRUCache } from 'lru-cache';

/** The number of callers whose windows are kept; the one not seen for longest is evicted. */
const MAX_BUCKETS = 100_000;

/** The difference up to which two window ends are the same window: no answer takes longer to arrive. */
const SAME_WINDOW_MS = 2000;

/** The state of the bucket that a request found. */
export type RateLimitResult = Awaited<ReturnType<ThrottlerStorage['increment']>>;

/**
 * Builds the result of a request. Times are in whole seconds and rounded up, so that a caller who waits that
 * long is admitted.
 */
export function rateLimitResult(count: number, msLeft: number, refused: boolean): RateLimitResult {
  const seconds = Math.max(1, Math.ceil(msLeft / 1000));
  return {
    totalHits: count,
    timeToExpire: seconds,
    isBlocked: refused,
    timeToBlockExpire: refused ? seconds : 0,
  };
}

/**
 * Keeps buckets in this process's memory. A window begins with the first request that it admits. It is not
 * refilled before it ends, and refused requests do not count.
 */
export class LocalRateLimitStorage implements ThrottlerStorage {
  private readonly buckets = new LRUCache<string, { count: number; endsAt: number }>({ max: MAX_BUCKETS });

  increment(key: string, windowMs: number, limit: number): Promise<RateLimitResult> {
    return Promise.resolve(this.take(key, windowMs, limit));
  }

  /** Takes a place in the bucket. Synchronous, so that no two requests can take the same place. */
  take(key: string, windowMs: number, limit: number): RateLimitResult {
    const now = performance.now();
    const found = this.buckets.get(key);
    const bucket = found && found.endsAt > now ? found : { count: 0, endsAt: now + windowMs };
    const refused = bucket.count >= limit;
    if (!refused) bucket.count++;
    this.buckets.set(key, bucket);
    // Rounding of doubles can make the difference longer than what was added.
    return rateLimitResult(bucket.count, Math.min(windowMs, bucket.endsAt - now), refused);
  }

  /**
   * Continues from a count made elsewhere. Within one window the count never falls, because an answer may
   * come late or from a store that was not asked for a while.
   */
  adopt(key: string, count: number, msLeft: number): void {
    const now = performance.now();
    const found = this.buckets.get(key);
    const endsAt = now + msLeft;
    const isSame = found && found.endsAt > now && Math.abs(found.endsAt - endsAt) <= SAME_WINDOW_MS;
    this.buckets.set(key, { count: isSame ? Math.max(found.count, count) : count, endsAt });
  }
}
