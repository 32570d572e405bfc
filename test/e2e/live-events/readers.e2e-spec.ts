import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { SocketServer } from '../../../src/modules/live-events/sockets/socket.server.js';
import { LifecycleService } from '../../../src/platform/lifecycle/lifecycle.service.js';
import { settled } from '../../support/app/settled.js';
import { type TestUser, TestApp } from '../../support/app/test-app.js';
import { until } from '../../support/app/until.js';
import { openEvents } from '../../support/builders/event-streams.js';
import { TestSocket } from '../../support/builders/sockets.js';
import { TestDatabase } from '../../support/database/test-database.js';
import { bySocket, byStream, readFeed, readReconnecting } from '../../support/faults/reconnecting-readers.js';
import {
  expectedOf,
  type Reading,
  readAtRandom,
  writeAtRandom,
} from '../../support/faults/random-readers.js';
import { writeEvents } from '../../support/builders/stream-entries.js';

const CONNECTIONS = 12;
const WRITERS = 3;

let database: TestDatabase;
let here: TestApp;
let there: TestApp;
beforeAll(async () => {
  database = await TestDatabase.create();
  here = await TestApp.create({ database });
  there = await TestApp.create({ database });
});
afterAll(async () => {
  await here?.close();
  await there?.close();
  await database?.drop();
});

const endOfFeed = async (): Promise<string> => {
  await settled(database);
  return (await here.as(here.admin, 'get', '/api/events?after=latest')).get('X-Next-Position') ?? '';
};

describe('readers who reconnect to another instance at random', () => {
  it('miss no event and see none twice while both instances write', async () => {
    const users = await Promise.all(Array.from({ length: WRITERS }, () => here.createUser()));
    const start = await endOfFeed();
    const writing = new AbortController();
    const write = async (user: TestUser, app: TestApp): Promise<void> => {
      for (let n = 0; !writing.signal.aborted; n++)
        await app
          .as(user, 'patch', '/api/users/me')
          .send({ name: `Name ${n}` })
          .expect(200);
    };
    const writers = users.map((user, index) => write(user, index % 2 === 0 ? here : there));
    let end: string | null = null;
    const isDone = async (last: string): Promise<boolean> => {
      if (end === null) {
        // The first to come here ends the writers for both.
        writing.abort();
        await Promise.all(writers);
        end = await endOfFeed();
      }
      return last >= end;
    };
    const reading = { urls: [here.url, there.url], user: here.admin, start, connections: CONNECTIONS };
    const received = await Promise.all(
      [bySocket, byStream].map((connect) => readReconnecting(connect, reading, isDone)),
    );
    const feed = await readFeed(here.url, here.admin, start);
    expect(feed.length).toBeGreaterThan(CONNECTIONS);
    for (const events of received) {
      expect(events.map(({ position }) => position)).toEqual(feed.map(({ position }) => position));
      expect(events).toEqual(feed);
    }
  });
});

describe('readers who come and go at random', () => {
  it('each receive exactly the events after their position, in order', async () => {
    const known = [await endOfFeed()];
    let end: string | null = null;
    const readings: Reading[] = [];
    const isWritten = (): boolean => end !== null;
    const isOver = (position: string): boolean => end !== null && position >= end;
    const read = async (app: TestApp): Promise<void> => {
      do {
        const reading = await readAtRandom(app, known, isOver);
        readings.push(reading);
        known.push(reading.until);
      } while (!isWritten());
    };
    const readers = Array.from({ length: 8 }, (_, index) => read(index % 2 === 0 ? here : there));
    await Promise.all(Array.from({ length: 4 }, () => writeAtRandom(database, [here, there], 100)));
    end = await endOfFeed();
    await Promise.all(readers);
    expect(readings.length).toBeGreaterThan(readers.length);
    const expected = await expectedOf(database, readings);
    expect(expected.some((positions) => positions.length > 0)).toBe(true);
    for (const [index, { received, ...reading }] of readings.entries())
      expect({ ...reading, received }).toEqual({ ...reading, received: expected[index] });
  });
});

describe('a reader who takes nothing', () => {
  it('is closed with 4408, while another one receives its events', async () => {
    const server = there.nest.get(SocketServer);
    const { drainTimeoutMs } = server;
    server.drainTimeoutMs = 300;
    const start = await endOfFeed();
    // More than the operating system keeps for a reader.
    await writeEvents(database, 40_000);
    await settled(database);
    const slow = await TestSocket.open(there.url, there.admin);
    slow.socket.pause();
    slow.send({ type: 'subscribe' });
    slow.send({ type: 'resume', after: start });
    const user = await there.createUser();
    const other = await TestSocket.open(there.url, user);
    await there.as(user, 'patch', '/api/users/me').send({ name: 'Not Delayed' }).expect(200);
    await until(() => other.events.some(({ type }) => type === 'user.updated'));
    // The close follows what the reader has not taken.
    // The registry has the metrics of the app that was made last.
    const metrics = async () => (await there.request('get', '/metrics')).text;
    await until(async () => (await metrics()).includes('closed_total{kind="websocket",reason="slow"} 1'));
    slow.socket.resume();
    expect((await slow.closed).code).toBe(4408);
    const last = slow.events.at(-1)?.position ?? '';
    const rest = await TestSocket.open(there.url, there.admin);
    rest.send({ type: 'subscribe' });
    rest.send({ type: 'resume', after: last });
    await until(() => rest.events.length > 0);
    const [next] = await readFeed(here.url, here.admin, last);
    expect(rest.events[0]?.position).toBe(next?.position);
    server.drainTimeoutMs = drainTimeoutMs;
    for (const socket of [other, rest]) await socket.leave();
  });
});

describe('a stopping instance', () => {
  it('closes sockets with 1001 and ends streams with an error, and takes no new ones', async () => {
    const user = await there.createUser();
    const socket = await TestSocket.open(there.url, user);
    const stream = await openEvents(there.url, user, '/api/users/me/events/stream');
    there.nest.get(LifecycleService).endStreams();
    expect((await socket.closed).code).toBe(1001);
    await stream.ended;
    expect(stream.errors).toMatchObject([{ error: { code: 'OVERLOADED' } }]);
    await expect(TestSocket.open(there.url, user)).rejects.toThrow('answered 503');
  });
});
