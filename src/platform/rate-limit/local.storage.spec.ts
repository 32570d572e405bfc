import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { LocalRateLimitStorage } from './local.storage.js';

const WINDOW_MS = 60_000;

describe('LocalStorage', () => {
  let storage: LocalRateLimitStorage;
  beforeEach(() => {
    jest.useFakeTimers();
    storage = new LocalRateLimitStorage();
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  const take = (limit = 3, key = 'somebody') => storage.increment(key, WINDOW_MS, limit);
  const times = async (count: number, limit = 3) => {
    const results = await Promise.all(Array.from({ length: count }, () => take(limit)));
    return results.filter(({ isBlocked }) => !isBlocked).length;
  };

  it('admits exactly the limit of any number of concurrent requests', async () => {
    expect(await times(15)).toBe(3);
    expect(await times(5000, 1000)).toBe(997);
  });

  it('refills nothing within the window, and everything at its end', async () => {
    await times(1);
    jest.advanceTimersByTime(30_000);
    expect(await times(10)).toBe(2);
    jest.advanceTimersByTime(29_999);
    expect(await times(10)).toBe(0);
    jest.advanceTimersByTime(1);
    expect(await times(10)).toBe(3);
  });

  it('begins the window with the first admitted request and does not prolong it for refused ones', async () => {
    jest.advanceTimersByTime(100_000);
    expect(await take()).toEqual({ totalHits: 1, timeToExpire: 60, isBlocked: false, timeToBlockExpire: 0 });
    jest.advanceTimersByTime(59_001);
    await times(9);
    expect(await take()).toEqual({ totalHits: 3, timeToExpire: 1, isBlocked: true, timeToBlockExpire: 1 });
    jest.advanceTimersByTime(999);
    expect(await take()).toMatchObject({ totalHits: 1, timeToExpire: 60, isBlocked: false });
  });

  it('rounds the wait up, so that a caller who waits that long is admitted', async () => {
    await times(3);
    jest.advanceTimersByTime(500);
    const { timeToBlockExpire } = await take();
    jest.advanceTimersByTime(timeToBlockExpire * 1000);
    expect((await take()).isBlocked).toBe(false);
  });

  it('applies the current limit to an existing bucket', async () => {
    await times(3);
    expect(await take(10)).toMatchObject({ totalHits: 4, isBlocked: false });
    expect(await take(3)).toMatchObject({ totalHits: 4, isBlocked: true });
  });

  it('counts callers separately', async () => {
    await times(3);
    expect((await take(3, 'somebody else')).isBlocked).toBe(false);
  });

  it('continues from a count made elsewhere until that window ends', async () => {
    storage.adopt('somebody', 2, 10_000);
    expect(await times(5)).toBe(1);
    jest.advanceTimersByTime(10_000);
    expect(await times(5)).toBe(3);
  });

  it('continues from a count made elsewhere and never lowers its own count within a window', async () => {
    storage.adopt('somebody', 2, 50_000);
    expect(await times(10)).toBe(1);
    // A late answer for the same window.
    storage.adopt('somebody', 1, 50_300);
    expect(await times(10)).toBe(0);
    storage.adopt('somebody', 1, 60_000);
    expect(await times(10)).toBe(2);
  });
});
