import type { ThrottlerStorage } from '@nestjs/throttler';
import { LRUCache } from 'lru-cache';

/** Callers whose windows are remembered; the one not seen for longest makes room. */
const MAX_BUCKETS = 100_000;

/** Two ends of a window that differ by no more than an answer is under way are one. */
const SAME_WINDOW_MS = 2000;

/** What one request found in its bucket. */
export type Taken = Awaited<ReturnType<ThrottlerStorage['increment']>>;

/** Times in whole seconds, rounded up: who waits that long is admitted. */
export function taken(count: number, msLeft: number, refused: boolean): Taken {
  const seconds = Math.max(1, Math.ceil(msLeft / 1000));
  return {
    totalHits: count,
    timeToExpire: seconds,
    isBlocked: refused,
    timeToBlockExpire: refused ? seconds : 0,
  };
}

/**
 * Buckets in this process's memory. A window begins with the first request that it admits, nothing
 * is refilled inside it, and refused requests do not count.
 */
export class LocalStorage implements ThrottlerStorage {
  private readonly buckets = new LRUCache<string, { count: number; endsAt: number }>({ max: MAX_BUCKETS });

  /** Synchronous up to its result, so that no two requests can take the same place. */
  increment(key: string, windowMs: number, limit: number): Promise<Taken> {
    const now = performance.now();
    const found = this.buckets.get(key);
    const bucket = found && found.endsAt > now ? found : { count: 0, endsAt: now + windowMs };
    const refused = bucket.count >= limit;
    if (!refused) bucket.count++;
    this.buckets.set(key, bucket);
    // Of sums of doubles a difference can come out longer than what was added.
    return Promise.resolve(taken(bucket.count, Math.min(windowMs, bucket.endsAt - now), refused));
  }

  /**
   * Goes on from what was counted elsewhere. In the same window the count never falls: an answer may come late, or
   * from a store that was not asked for a while.
   */
  remember(key: string, count: number, msLeft: number): void {
    const now = performance.now();
    const found = this.buckets.get(key);
    const endsAt = now + msLeft;
    const isSame = found && found.endsAt > now && Math.abs(found.endsAt - endsAt) <= SAME_WINDOW_MS;
    this.buckets.set(key, { count: isSame ? Math.max(found.count, count) : count, endsAt });
  }
}
