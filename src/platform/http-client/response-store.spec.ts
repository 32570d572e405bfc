import { describe, expect, it } from '@jest/globals';
import type { OutboundResponse } from './outbound-outcome.js';
import { lifetimeSeconds, LocalResponseStore, responseKey } from './response-store.js';

const response = (headers: Record<string, string> = {}, status = 200, size = 1): OutboundResponse => ({
  ok: true,
  status,
  headers,
  body: Buffer.alloc(size),
  durationMs: 1,
});

describe('lifetimeSeconds', () => {
  it.each([
    [{}, 300],
    [{ 'cache-control': 'public, max-age=2678400' }, 300],
    [{ 'cache-control': 'max-age=60' }, 60],
    [{ 'cache-control': 'max-age="60"' }, 60],
    [{ 'cache-control': 'max-age=60', age: '45' }, 15],
    [{ 'cache-control': 'max-age=60', age: '75' }, 0],
    [{ 'cache-control': 'max-age=0, s-maxage=30' }, 30],
    [{ 'cache-control': 'No-Store' }, 0],
    [{ 'cache-control': 'public,no-cache' }, 0],
    [{ 'cache-control': 'private="set-cookie"' }, 0],
    [{ 'cache-control': 'nonsense, max-age=soon' }, 300],
    [{ vary: 'accept, *' }, 0],
  ])('of a response with %j is %d', (headers, seconds) => {
    expect(lifetimeSeconds(response(headers as Record<string, string>), 300)).toBe(seconds);
  });

  it('of a response other than 200 is 0', () => {
    for (const status of [204, 206, 301, 404, 500])
      expect(lifetimeSeconds(response({}, status), 300)).toBe(0);
  });
});

describe('responseKey', () => {
  it('depends on URL and headers, but not on their spelling', () => {
    const key = responseKey('https://a.test/x', { A: '1', B: '2' });
    expect(responseKey('https://A.test:443/x', { b: '2', a: '1' })).toBe(key);
    const others = [
      responseKey('https://a.test/y', { A: '1', B: '2' }),
      responseKey('https://a.test/x', { A: '1', B: '3' }),
      responseKey('https://a.test/x', { A: '1' }),
    ];
    expect(new Set([key, ...others]).size).toBe(4);
  });
});

describe('LocalResponseStore', () => {
  it('keeps at most 10,000 responses', async () => {
    const store = new LocalResponseStore();
    for (let i = 0; i <= 10_000; i++) store.keep(String(i), response(), 300);
    expect(await store.find('0')).toBeNull();
    expect(await store.find('1')).not.toBeNull();
  });

  it('keeps at most 16 MiB', async () => {
    const store = new LocalResponseStore();
    for (let i = 0; i < 17; i++) store.keep(String(i), response({}, 200, 1_000_000), 300);
    expect(await store.find('0')).toBeNull();
    expect(await store.find('16')).not.toBeNull();
  });
});
