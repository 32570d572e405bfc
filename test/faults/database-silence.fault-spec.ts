import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { freezeAll, noSignals } from '../support/faults/backends.js';
import { Instance } from '../support/app/instance.js';
import { noPrivateNetwork, PrivateNetwork } from '../support/private-network.js';
import { MASTER_KEY } from '../support/app/secrets.js';
import { bearer, closeConnections, send } from '../support/http/send.js';
import { type TestUser, ADMIN, signIn } from '../support/app/test-app.js';
import { TestDatabase } from '../support/database/test-database.js';
import { wherePossible } from '../support/app/where-possible.js';

const SILENT_MS = 15_000;
const CALLERS = 20;
/** The contract's bound on the first answer after the database returns. */
const BACK_WITHIN_MS = 2000;
/** Long before a request times out (30 s). */
const GIVEN_UP_WITHIN_MS = 6000;

const ENV = { NODE_ENV: 'test', LOG_LEVEL: 'silent', ADMIN_PASSWORD: ADMIN.password, MASTER_KEY };

interface Answered {
  readonly status: number;
  readonly sentAt: number;
  readonly at: number;
}

/** Starts callers that send sequential requests until the returned function is called. */
function callOn(url: string, user: TestUser): () => Promise<Answered[]> {
  const answers: Answered[] = [];
  const over = new AbortController();
  const caller = async (): Promise<void> => {
    while (!over.signal.aborted) {
      const sentAt = performance.now();
      const { status } = await send(url, { path: '/api/users/me', headers: bearer(user) });
      answers.push({ status, sentAt, at: performance.now() });
      if (status !== 200) await sleep(50);
    }
  };
  const callers = Array.from({ length: CALLERS }, caller);
  return async () => {
    over.abort();
    await Promise.all(callers);
    return answers;
  };
}

/** Expects the first success soon after `backAt`, and no request to have waited for long. */
function expectServedAgain(answers: readonly Answered[], backAt: number): void {
  const first = Math.min(
    ...answers.filter(({ status, at }) => status === 200 && at > backAt).map(({ at }) => at),
  );
  const longest = Math.max(...answers.map(({ sentAt, at }) => at - sentAt));
  const late = answers.filter(({ status, sentAt }) => status !== 200 && sentAt > backAt + BACK_WITHIN_MS);
  process.stdout.write(
    `first success ${(first - backAt).toFixed(0)} ms after the return; longest wait ${longest.toFixed(0)} ms; ` +
      `${answers.filter(({ status }) => status === 200).length} of ${answers.length} requests served\n`,
  );
  expect(first - backAt).toBeLessThan(BACK_WITHIN_MS);
  expect(longest).toBeLessThan(GIVEN_UP_WITHIN_MS);
  expect(late).toEqual([]);
}

// The fault specs run one at a time, so they may freeze the run's server.
wherePossible(noSignals, 'a database that freezes', () =>
  describe(`a database that freezes for ${SILENT_MS / 1000} s`, () => {
    let database: TestDatabase;
    let instance: Instance;
    let admin: TestUser;
    beforeAll(async () => {
      database = await TestDatabase.create();
      instance = await Instance.start({ env: { ...ENV, ...database.addresses } });
      admin = await signIn(instance.url, ADMIN.email, ADMIN.password);
    });
    afterAll(async () => {
      closeConnections();
      await instance.stop();
      await database.drop();
    });

    /** Returns the process that accepts connections and all of the service's backends. */
    async function pids(): Promise<number[]> {
      const rows = await database.query<{ pid: number }>(
        `SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)::integer AS pid UNION ALL
         SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`,
      );
      return rows.map(({ pid }) => pid);
    }

    it('lets waiting requests fail in time and serves within 2 s of its return', async () => {
      const end = callOn(instance.url, admin);
      await sleep(1000);
      const thaw = freezeAll(await pids());
      await sleep(SILENT_MS);
      thaw();
      const backAt = performance.now();
      await sleep(5000);
      expectServedAgain(await end(), backAt);
    }, 60_000);
  }),
);

wherePossible(noPrivateNetwork(), 'a path to the database that drops packets', () =>
  describe(`a path to the database that drops all packets for ${SILENT_MS / 1000} s`, () => {
    let database: TestDatabase;
    let network: PrivateNetwork;
    let instance: Instance;
    let admin: TestUser;
    beforeAll(async () => {
      database = await TestDatabase.create();
      network = await PrivateNetwork.around(database.url);
      const env = { ...ENV, ...network.through(database.addresses) };
      instance = await Instance.start({ env, under: network.under });
      admin = await signIn(network.serviceUrl, ADMIN.email, ADMIN.password);
    });
    afterEach(() => network.restore());
    afterAll(async () => {
      closeConnections();
      await instance.stop();
      await network.close();
      await database.drop();
    });

    it('lets waiting requests fail in time and serves within 2 s of its return', async () => {
      const end = callOn(network.serviceUrl, admin);
      await sleep(1000);
      network.dropAll();
      await sleep(SILENT_MS);
      network.restore();
      const backAt = performance.now();
      await sleep(5000);
      expectServedAgain(await end(), backAt);
    }, 60_000);

    async function callFor(ms: number): Promise<Answered[]> {
      const end = callOn(network.serviceUrl, admin);
      await sleep(ms);
      return end();
    }

    it.each([
      ['without requests meanwhile', () => network.restore()],
      [
        'without its old connections',
        () => {
          network.restore();
          network.dropPresent();
        },
      ],
    ])(
      'serves within 2 s of its return, %s',
      async (_, comeBack) => {
        // Uses every connection of the pool beforehand.
        await callFor(1000);
        network.dropAll();
        await sleep(SILENT_MS);
        comeBack();
        const backAt = performance.now();
        expectServedAgain(await callFor(5000), backAt);
      },
      60_000,
    );
  }),
);
