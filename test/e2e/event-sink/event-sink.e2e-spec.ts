import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { parsePosition } from '../../../src/common/event-position.js';
import { newId } from '../../../src/common/ids.js';
import { entryIdOf } from '../../../src/platform/event-sink/entry-id.js';
import { RedisStream, type StreamEntry } from '../../../src/platform/event-sink/redis-stream.js';
import { noRedis, TestRedis } from '../../support/app/redis.js';
import { settled } from '../../support/app/settled.js';
import { TestApp } from '../../support/app/test-app.js';
import { until } from '../../support/app/until.js';
import { wherePossible } from '../../support/app/where-possible.js';
import { allEntries, positionsIn, STREAM, writeEvents } from '../../support/builders/stream-entries.js';
import { TestDatabase } from '../../support/database/test-database.js';

/** Returns the entry of an event that happened 25 hours ago. */
function agedEntry(position: string): StreamEntry {
  const parsed = parsePosition(position);
  if (!parsed) throw new Error(`${position} is no position`);
  const time = new Date(Date.now() - 25 * 60 * 60 * 1000).toISOString();
  const [id, type, subject] = [newId(), 'user.updated', newId()];
  return [entryIdOf(parsed), 'id', id, 'type', type, 'position', position, 'subject', subject, 'time', time];
}

wherePossible(noRedis, 'the Redis stream of events', () => {
  describe('the Redis stream of events', () => {
    let database: TestDatabase;
    let redis: TestRedis;
    beforeEach(async () => {
      database = await TestDatabase.create();
      redis = await TestRedis.start();
    });
    afterEach(async () => {
      await redis.kill();
      await database.drop();
    });

    it.each([true, false])('holds the events of the last day, with personal data: %s', async (withData) => {
      await writeEvents(database, 3, '25 hours');
      const app = await TestApp.create({
        database,
        config: { REDIS_URL: redis.url, EVENTS_REDIS_STREAM: STREAM, EVENTS_REDIS_PERSONAL_DATA: withData },
      });
      try {
        const user = await app.createUser();
        await settled(database);
        const feed = (await app.as(app.admin, 'get', '/api/events?limit=100').expect(200)).body as {
          id: string;
          type: string;
          position: string;
          subject: string;
          time: string;
          data: object;
        }[];
        const recent = feed.slice(3);
        expect(recent.map(({ type }) => type)).toContain('user.created');
        await until(async () => (await allEntries(redis)).length >= recent.length);
        expect((await allEntries(redis)).map(({ fields }) => fields)).toEqual(
          recent.map(({ id, type, position, subject, time, data }) => ({
            id,
            type,
            position,
            subject,
            time,
            ...(withData && { data: JSON.stringify(data) }),
          })),
        );
        const text = JSON.stringify(await allEntries(redis));
        expect(text.includes(user.email)).toBe(withData);
        const { text: metrics } = await app.request('get', '/metrics');
        expect(Number(/^event_sink_sent_total (\d+)$/m.exec(metrics)?.[1])).toBe(recent.length);
        await until(async () =>
          /^event_sink_lag_seconds 0$/m.test((await app.request('get', '/metrics')).text),
        );
        // The lag grows while Redis is away.
        await redis.kill();
        await writeEvents(database, 1);
        await until(
          async () => !/^event_sink_lag_seconds 0$/m.test((await app.request('get', '/metrics')).text),
        );
      } finally {
        await app.close();
      }
    });

    it('is trimmed by the service to the events of the last 24 hours, and goes on after its last entry', async () => {
      await writeEvents(database, 3, '25 hours');
      const old = await positionsIn(database);
      await writeEvents(database, 2, '23 hours');
      const recent = (await positionsIn(database)).slice(old.length);
      // The state that the service left in the hour in which these events were recent.
      const sender = await RedisStream.at(redis.url, STREAM, randomUUID());
      await sender.claim();
      await sender.append('0-0', old.map(agedEntry));
      await sender.close();
      const app = await TestApp.create({
        database,
        config: { REDIS_URL: redis.url, EVENTS_REDIS_STREAM: STREAM },
      });
      try {
        await until(async () => {
          const positions = (await allEntries(redis)).map(({ fields }) => fields['position'] ?? '');
          return (
            recent.every((each) => positions.includes(each)) && !old.some((each) => positions.includes(each))
          );
        });
      } finally {
        await app.close();
      }
    });

    it('loses entries that are older than a day, and only these', async () => {
      const stream = await RedisStream.at(redis.url, STREAM, randomUUID());
      const entry = (number: number, time: string): StreamEntry => [`${number}-1`, 'time', time];
      const isKept = ([, time]: readonly string[]) => time === 'new';
      try {
        expect(await stream.claim()).toBe('0-0');
        await stream.trim(isKept);
        const entries = Array.from({ length: 2500 }, (_, index) =>
          entry(index + 1, index < 2100 ? 'old' : 'new'),
        );
        expect(await stream.append('0-0', entries.slice(0, 1500))).toBe(true);
        expect(await stream.append('1500-1', entries.slice(1500))).toBe(true);
        await stream.trim(isKept);
        const left = await allEntries(redis);
        expect([left.length, left[0]?.entryId]).toEqual([400, '2101-1']);
        await stream.trim(() => false);
        expect(await allEntries(redis)).toEqual([]);
        // A stream that was emptied still knows where it ended.
        expect(await stream.claim()).toBe('2500-1');
      } finally {
        await stream.close();
      }
    });

    it('takes entries of one sender only, and none that it has had', async () => {
      const [one, other] = await Promise.all(
        [newId(), newId()].map((name) => RedisStream.at(redis.url, STREAM, name)),
      );
      if (!one || !other) throw new Error('two senders are needed');
      try {
        expect(await one.claim()).toBe('0-0');
        expect(await other.claim()).toBeNull();
        expect(await one.append('0-0', [['5-1', 'time', 'a']])).toBe(true);
        expect(await other.append('5-1', [['6-1', 'time', 'a']])).toBe(false);
        expect(await one.append('0-0', [['6-1', 'time', 'a']])).toBe(false);
        await expect(one.append('5-1', [['5-1', 'time', 'a']])).rejects.toThrow('equal or smaller');
        await one.close();
        expect(await other.claim()).toBe('5-1');
      } finally {
        await other.close();
      }
    });
  });
});
