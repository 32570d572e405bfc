import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Instance } from '../support/app/instance.js';
import { noRedis, TestRedis } from '../support/app/redis.js';
import { MASTER_KEY } from '../support/app/secrets.js';
import { ADMIN } from '../support/app/test-app.js';
import { until } from '../support/app/until.js';
import { wherePossible } from '../support/app/where-possible.js';
import {
  allEntries,
  entriesAfter,
  type Entry,
  positionsIn,
  STREAM,
  writeEvents,
} from '../support/builders/stream-entries.js';
import { TestDatabase } from '../support/database/test-database.js';

const KILLS = 10;
/** The kill after which Redis forgets everything. */
const FORGETS_AFTER = 4;
const LIMIT_MS = 20 * 60_000;

wherePossible(noRedis, 'the Redis stream of events', () => {
  describe('the Redis stream of events', () => {
    let database: TestDatabase;
    let redis: TestRedis;
    beforeAll(async () => {
      database = await TestDatabase.create();
      redis = await TestRedis.start();
    });
    afterAll(async () => {
      await redis?.kill();
      await database?.drop();
    });

    it(
      `shows a consumer every event, in order, after ${KILLS} killed senders and a Redis that forgot all`,
      async () => {
        const env = {
          NODE_ENV: 'test',
          LOG_LEVEL: 'silent',
          ...database.addresses,
          ADMIN_PASSWORD: ADMIN.password,
          MASTER_KEY,
          REDIS_URL: redis.url,
          EVENTS_REDIS_STREAM: STREAM,
        };
        const instances = await Instance.startTwo({ env }, { env });
        const stopped = new AbortController();
        const seen: Entry[] = [];
        let at = '';
        const consume = async (): Promise<void> => {
          while (!stopped.signal.aborted) {
            const next = await entriesAfter(redis, at).catch(() => []);
            seen.push(...next);
            at = next.at(-1)?.entryId ?? at;
            await new Promise((resolve) => setTimeout(resolve, 20));
          }
        };
        const produce = async (): Promise<void> => {
          while (!stopped.signal.aborted) {
            await writeEvents(database, 1 + Math.floor(Math.random() * 20));
            await new Promise((resolve) => setTimeout(resolve, 5));
          }
        };
        const work = [consume(), produce(), produce()];
        try {
          for (let kill = 0; kill < KILLS; kill++) {
            const length = seen.length;
            await until(() => seen.length > length + Math.random() * 100);
            // Whichever sends, both are killed in turn, and the other one goes on.
            await instances[kill % 2]?.stop('SIGKILL');
            if (kill === FORGETS_AFTER) {
              await redis.kill();
              await redis.start();
              at = '';
            }
            instances[kill % 2] = await Instance.start({ env });
          }
          stopped.abort();
          await Promise.all(work);
          const positions = await positionsIn(database);
          const isComplete = async () => (await allEntries(redis)).length === positions.length;
          await until(isComplete, 60_000, 'every event in the stream');
          seen.push(...(await entriesAfter(redis, at)));
          for (at = seen.at(-1)?.entryId ?? ''; ; at = seen.at(-1)?.entryId ?? '') {
            const next = await entriesAfter(redis, at);
            if (next.length === 0) break;
            seen.push(...next);
          }
          const withoutRepeated = new Map(seen.map(({ entryId, fields }) => [entryId, fields['position']]));
          expect(new Set(withoutRepeated.values())).toEqual(new Set(positions));
          expect(withoutRepeated.size).toBe(positions.length);
          expect((await allEntries(redis)).map(({ fields }) => fields['position'])).toEqual(positions);
          // Redis forgot, so some were seen twice.
          expect(seen.length).toBeGreaterThan(positions.length);
        } finally {
          stopped.abort();
          await Promise.allSettled(work);
          await Promise.all(instances.map((instance) => instance.stop()));
        }
      },
      LIMIT_MS,
    );
  });
});
