import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Instance } from '../../support/app/instance.js';
import { TestDatabase } from '../../support/database/test-database.js';

const REQUESTS = 200;
/** Long paths, so that the lines of all requests exceed what a pipe and its reader buffer together. */
const FILLER = 'x'.repeat(6000);
/** Several times as long as all requests take while the lines are read. */
const LOOK_MS = 3000;

let database: TestDatabase;
let instance: Instance;
beforeAll(async () => {
  database = await TestDatabase.create();
  instance = await Instance.start({ env: { ...database.addresses, LOG_LEVEL: 'info' } });
});
afterAll(async () => {
  await instance?.stop('SIGKILL');
  await database?.drop();
});

describe('a reader of the log that stands still', () => {
  it('holds requests back instead of filling the memory, and loses no line', async () => {
    const { stdout } = instance.process;
    stdout?.pause();
    let answered = 0;
    const requests = (async () => {
      for (let i = 0; i < REQUESTS; i++) {
        const answer = await fetch(`${instance.url}/api/line-${i}-of-many/${FILLER}`);
        expect(answer.status).toBe(404);
        answered++;
      }
    })();
    await Promise.race([requests, pause(LOOK_MS)]);
    expect(answered).toBeGreaterThan(0);
    expect(answered).toBeLessThan(REQUESTS);

    stdout?.resume();
    await requests;
    const logged = () => instance.stdout.match(/\/api\/line-\d+-of-many/g) ?? [];
    await instance.until(() => logged().length >= REQUESTS);
    expect(logged()).toEqual(Array.from({ length: REQUESTS }, (_, i) => `/api/line-${i}-of-many`));
  });
});
