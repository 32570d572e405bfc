import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { elsewhere } from '../../support/builders/guesses.js';
import { Instance } from '../../support/app/instance.js';
import { noRedis, TestRedis } from '../../support/app/redis.js';
import { MASTER_KEY } from '../../support/app/secrets.js';
import { send } from '../../support/http/send.js';
import { TcpProxy } from '../../support/faults/tcp-proxy.js';
import { ADMIN } from '../../support/app/test-app.js';
import { TestDatabase } from '../../support/database/test-database.js';
import { wherePossible } from '../../support/app/where-possible.js';

type Line = Readonly<Record<string, unknown>>;

const LIBRARY_WORDS = /Error|enableOfflineQueue|max retries|ECONN|Connection terminated|writeable/;

wherePossible(noRedis, 'Redis', () =>
  describe('a warning outside of requests', () => {
    let database: TestDatabase;
    let redis: TestRedis;
    let path: TcpProxy;
    let instance: Instance;
    beforeAll(async () => {
      database = await TestDatabase.create();
      redis = await TestRedis.start();
      path = await TcpProxy.before(database.serviceUrl);
      instance = await Instance.start({
        env: {
          ...database.addresses,
          RATE_LIMIT_SIGN_IN: '120',
          MASTER_KEY,
          ADMIN_PASSWORD: ADMIN.password,
          DATABASE_URL: path.through(database.serviceUrl),
          LISTEN_DATABASE_URL: database.serviceUrl,
          REDIS_URL: redis.url,
        },
      });
    });
    afterAll(async () => {
      await instance?.stop();
      await redis?.kill();
      await path?.cut();
      await database?.drop();
    });

    const ask = () =>
      send(instance.url, {
        method: 'POST',
        path: '/api/auth/login',
        headers: { 'X-Forwarded-For': elsewhere(), 'X-Request-Id': 'asked-long-ago' },
        body: { email: 'nobody@example.com', password: 'not the right one' },
      });
    const lines = (message: RegExp): Line[] =>
      instance.stdout
        .split('\n')
        .filter((line) => line.startsWith('{'))
        .map((line) => JSON.parse(line) as Line)
        .filter(({ msg }) => message.test(String(msg)));
    function expectPlain(found: readonly Line[], count: number): void {
      expect(found).toHaveLength(count);
      for (const line of found) {
        expect(line).not.toHaveProperty('request_id');
        expect(String(line['msg'])).not.toMatch(LIBRARY_WORDS);
      }
    }

    it('names no request and no library when Redis is slow, recovers and disappears', async () => {
      redis.freeze();
      await instance.until(async () => {
        await ask();
        return lines(/Redis cannot be reached/).length === 1;
      });
      redis.thaw();
      await instance.until(() => lines(/Redis answers/).length === 1);
      await ask();
      await redis.kill();
      await instance.until(() => lines(/Redis cannot be reached/).length === 2);
      expectPlain(lines(/Redis answers/), 1);
      expectPlain(lines(/Redis cannot be reached/), 2);
    });

    it('names no request and no library when idle database connections break', async () => {
      await Promise.all([ask(), ask(), ask()]);
      await path.cut();
      await path.restore();
      await instance.until(() => lines(/idle connection to the database|terminated/).length > 0);
      const found = lines(/idle connection to the database|terminated/);
      expectPlain(found, found.length);
    });
  }),
);
