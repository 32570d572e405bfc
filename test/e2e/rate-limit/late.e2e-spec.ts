import { stat } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Counter } from 'prom-client';
import { RedisRateLimitStorage } from '../../../src/platform/rate-limit/redis.storage.js';
import { noRedis, TestRedis } from '../../support/app/redis.js';
import { TcpProxy } from '../../support/faults/tcp-proxy.js';
import { until } from '../../support/app/until.js';
import { wherePossible } from '../../support/app/where-possible.js';

const LIMIT = 100_000;
/** The number of requests counted in Redis before. An instance that counts alone does not reach it. */
const ELSEWHERE = 90_000;
const WINDOW_MS = 60_000;

/** Starts the work at the end of a turn of the event loop that has already taken this long. */
const lateInTurn = <T>(ms: number, work: () => Promise<T>): Promise<T> =>
  new Promise((resolve) => {
    stat('.', () => {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
      resolve(work());
    });
  });

const JUDGED_ALONE = new Counter({ name: 'judged_alone', help: 'In no registry', registers: [] });

wherePossible(noRedis, 'Redis', () =>
  describe('a response of Redis about a limit', () => {
    let redis: TestRedis;
    let path: TcpProxy;
    let storage: RedisRateLimitStorage;
    beforeAll(async () => {
      redis = await TestRedis.start();
      path = await TcpProxy.before(redis.url);
      storage = await RedisRateLimitStorage.at(path.through(redis.url), JUDGED_ALONE);
      await storage.connect();
    });
    afterAll(async () => {
      storage.close();
      await path.cut();
      await redis.kill();
    });

    let keys = 0;
    async function bucket(): Promise<string> {
      const key = `somebody-${++keys}`;
      await redis.ask((client) => client.set(`gatehouse:rate:${key}`, ELSEWHERE, 'PX', WINDOW_MS));
      return key;
    }
    const take = async (key: string) => (await storage.increment(key, WINDOW_MS, LIMIT)).totalHits;

    it('is awaited from the time of the query, however long the turn of the event loop takes', async () => {
      path.slow(3);
      await until(async () => {
        const key = await bucket();
        return (await lateInTurn(40, () => take(key))) === ELSEWHERE + 1;
      });
    });

    it('is kept when it arrives late, and counts its request once', async () => {
      path.slow(60);
      const key = await bucket();
      expect(await take(key)).toBe(1);
      await until(async () => (await take(key)) > ELSEWHERE);
      expect(await take(key)).toBeLessThan(ELSEWHERE + 50);
    });
  }),
);
