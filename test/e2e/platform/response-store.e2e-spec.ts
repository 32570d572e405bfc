import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { OutboundResponse } from '../../../src/platform/http-client/outbound-outcome.js';
import { RedisResponseStore } from '../../../src/platform/http-client/redis-response.store.js';
import { noRedis, TestRedis } from '../../support/app/redis.js';
import { until } from '../../support/app/until.js';
import { wherePossible } from '../../support/app/where-possible.js';

const RESPONSE: OutboundResponse = {
  ok: true,
  status: 200,
  headers: { 'content-type': 'text/plain', 'x-many': ['a', 'b'] },
  body: Buffer.from([0, 255, 10, 128]),
  durationMs: 5,
};

wherePossible(noRedis, 'Redis', () =>
  describe('responses kept in Redis', () => {
    let redis: TestRedis;
    const stores: RedisResponseStore[] = [];
    beforeAll(async () => {
      redis = await TestRedis.start();
    });
    afterAll(async () => {
      for (const store of stores) store.close();
      await redis.kill();
    });

    const createStore = (): RedisResponseStore => {
      const store = new RedisResponseStore(redis.url);
      stores.push(store);
      return store;
    };
    /** Keeps a response until it is found. A store that is not connected yet keeps nothing. */
    const keepUntilFound = (store: RedisResponseStore, key: string) =>
      until(async () => {
        store.keep(key, RESPONSE, 300);
        return (await store.find(key)) !== null;
      });

    it('are found by every instance, for their lifetime', async () => {
      await keepUntilFound(createStore(), 'a');
      const other = createStore();
      await until(async () => (await other.find('a')) !== null);
      expect(await other.find('a')).toEqual({ ...RESPONSE, durationMs: 0 });
      expect(await other.find('b')).toBeNull();
      const seconds = await redis.ask((client) => client.ttl('gatehouse:http:a'));
      expect(seconds).toBeGreaterThan(200);
      expect(seconds).toBeLessThanOrEqual(300);
    });

    it('are missing while Redis is silent or gone, and when it holds something else', async () => {
      const store = createStore();
      await keepUntilFound(store, 'c');
      await redis.ask((client) => client.set('gatehouse:http:d', 'no response'));
      expect(await store.find('d')).toBeNull();
      await until(async () => (await store.find('c')) !== null);
      redis.freeze();
      expect(await store.find('c')).toBeNull();
      redis.thaw();
      // A store that met a failure leaves Redis alone for a second.
      await until(async () => (await store.find('c')) !== null);
      await redis.kill();
      expect(await store.find('c')).toBeNull();
      await redis.start();
      await keepUntilFound(store, 'c');
    });
  }),
);
