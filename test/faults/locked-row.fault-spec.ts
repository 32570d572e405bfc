import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { HeldLock } from '../support/database/held-lock.js';
import { Instance } from '../support/app/instance.js';
import { MASTER_KEY } from '../support/app/secrets.js';
import { bearer, closeConnections, send } from '../support/http/send.js';
import { type TestUser, ADMIN, PASSWORD, signIn } from '../support/app/test-app.js';
import { TestDatabase } from '../support/database/test-database.js';

/**
 * The number of rounds. Rates alternate between alone and beside the waiters, so that other load affects both
 * alike.
 */
const ROUNDS = 8;
const MEASURE_MS = 3000;
const CALLERS = 8;
const WAITERS = 10;
/** The contract: other requests keep this share of their rate. */
const KEPT = 0.8;

let database: TestDatabase;
let instance: Instance;
let admin: TestUser;
beforeAll(async () => {
  database = await TestDatabase.create();
  const env = { NODE_ENV: 'test', LOG_LEVEL: 'silent', ADMIN_PASSWORD: ADMIN.password, MASTER_KEY };
  instance = await Instance.start({ env: { ...env, ...database.addresses } });
  admin = await signIn(instance.url, ADMIN.email, ADMIN.password);
});
afterAll(async () => {
  closeConnections();
  await instance.stop();
  await database.drop();
});

const rename = (id: string, name: string) =>
  send(instance.url, {
    method: 'PATCH',
    path: `/api/users/${id}`,
    body: { name },
    headers: { ...bearer(admin), 'If-Match': '*' },
  });

async function signUp(email: string): Promise<string> {
  const body = { email, name: 'Somebody', password: PASSWORD };
  const answer = await send(instance.url, { method: 'POST', path: '/api/users', body });
  return (answer.json as { id: string }).id;
}

/**
 * Reads and changes other users, with one sequential caller per user.
 * @returns the number of 200 responses
 */
async function servedToOthers(ids: readonly string[]): Promise<number> {
  const started = performance.now();
  let served = 0;
  const caller = async (id: string): Promise<void> => {
    for (let i = 0; performance.now() - started < MEASURE_MS; i++) {
      const path = `/api/users/${id}`;
      const read = () => send(instance.url, { path, headers: bearer(admin) });
      if ((await (i % 4 === 0 ? rename(id, `Name ${i}`) : read())).status === 200) served++;
    }
  };
  await Promise.all(ids.map(caller));
  return served;
}

/**
 * Keeps changes of a row waiting while another transaction holds it.
 * @returns the function to call at the end
 */
async function keepWaiting(id: string, statuses: Map<number, number>): Promise<() => Promise<void>> {
  const lock = await HeldLock.take(database.url, 'SELECT 1 FROM users WHERE id = $1 FOR UPDATE', [id]);
  const over = new AbortController();
  const waiter = async (): Promise<void> => {
    while (!over.signal.aborted) {
      const { status } = await rename(id, 'Wanted');
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
  };
  const waiters = Array.from({ length: WAITERS }, waiter);
  return async () => {
    over.abort();
    await lock.release();
    await Promise.all(waiters);
  };
}

it(`leaves other requests ${KEPT * 100} % of their rate while ten changes wait for one row`, async () => {
  const wanted = await signUp('wanted@example.com');
  const others = await Promise.all(
    Array.from({ length: CALLERS }, (_, i) => signUp(`other-${i}@example.com`)),
  );
  await servedToOthers(others);
  const statuses = new Map<number, number>();
  const alone: number[] = [];
  const beside: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    alone.push(await servedToOthers(others));
    const end = await keepWaiting(wanted, statuses);
    beside.push(await servedToOthers(others));
    await end();
  }
  const rate = (served: readonly number[]) =>
    served.reduce((sum, each) => sum + each, 0) / ((ROUNDS * MEASURE_MS) / 1000);
  process.stdout.write(
    `others: ${rate(alone).toFixed(0)}/s alone (${alone.join(' ')}), ${rate(beside).toFixed(0)}/s beside ` +
      `${WAITERS} waiters (${beside.join(' ')}; ${((100 * rate(beside)) / rate(alone)).toFixed(0)} %); ` +
      `waiters: ${JSON.stringify([...statuses])}\n`,
  );
  expect(rate(beside)).toBeGreaterThanOrEqual(KEPT * rate(alone));
}, 180_000);
