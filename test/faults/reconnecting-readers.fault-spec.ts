import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Instance } from '../support/app/instance.js';
import { settled } from '../support/app/settled.js';
import { ADMIN, PASSWORD, signIn, type TestUser } from '../support/app/test-app.js';
import { startTwo } from '../support/app/two-instances.js';
import { TestDatabase } from '../support/database/test-database.js';
import { bySocket, byStream, readFeed, readReconnecting } from '../support/faults/reconnecting-readers.js';
import { bearer, send } from '../support/http/send.js';

const CONNECTIONS = 200;
const WRITERS = 4;
const TIMEOUT_MS = 300_000;

let database: TestDatabase;
let instances: Instance[];
beforeAll(async () => {
  database = await TestDatabase.create();
  instances = await startTwo(database);
});
afterAll(async () => {
  for (const instance of instances ?? []) await instance.stop();
  await database?.drop();
});

describe('readers who reconnect 200 times at random to one of two instances', () => {
  it(
    'miss no event and see none twice while both write',
    async () => {
      const urls = instances.map(({ url }) => url);
      const [here = ''] = urls;
      const admin = await signIn(here, ADMIN.email, ADMIN.password);
      const writers: TestUser[] = [];
      for (let n = 0; n < WRITERS; n++) {
        const email = `writer-${n}@example.com`;
        await send(here, {
          method: 'POST',
          path: '/api/users',
          body: { email, name: 'Writer', password: PASSWORD },
        });
        writers.push(await signIn(here, email, PASSWORD));
      }
      const endOfFeed = async (): Promise<string> => {
        await settled(database);
        const answer = await send(here, { path: '/api/events?after=latest', headers: bearer(admin) });
        return String(answer.headers['x-next-position']);
      };
      const start = await endOfFeed();
      const writing = new AbortController();
      const written = writers.map(async (writer, index) => {
        for (let n = 0; !writing.signal.aborted; n++) {
          const url = urls[(index + n) % urls.length] ?? '';
          const change = { method: 'PATCH', path: '/api/users/me', body: { name: `Name ${n}` } };
          const answer = await send(url, { ...change, headers: bearer(writer) });
          if (answer.status !== 200) throw new Error(`${answer.status}: ${answer.text}`);
        }
      });
      let end: Promise<string> | null = null;
      const isDone = async (last: string): Promise<boolean> => {
        writing.abort();
        end ??= Promise.all(written).then(endOfFeed);
        return last >= (await end);
      };
      const reading = { urls, user: admin, start, connections: CONNECTIONS };
      const received = await Promise.all(
        [bySocket, byStream].map((connect) => readReconnecting(connect, reading, isDone)),
      );
      const feed = await readFeed(here, admin, start);
      expect(feed.length).toBeGreaterThan(CONNECTIONS);
      for (const events of received) expect(events).toEqual(feed);
    },
    TIMEOUT_MS,
  );
});
