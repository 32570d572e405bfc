import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { HeldLock } from '../support/held-lock.js';
import { Instance } from '../support/instance.js';
import { MASTER_KEY } from '../support/secrets.js';
import { bearer, closeConnections, send } from '../support/send.js';
import { type Account, ADMIN, PASSWORD, signIn } from '../support/test-app.js';
import { TestDatabase } from '../support/test-database.js';

const MEASURE_MS = 10_000;
const CALLERS = 8;
const WAITERS = 10;
/** The contract: others keep so much of their rate. */
const KEPT = 0.8;

let database: TestDatabase;
let instance: Instance;
let admin: Account;
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

/** Reads and changes of others by so many callers, one after the other each. @returns answers with 200 a second */
async function rateOfOthers(ids: readonly string[]): Promise<number> {
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
  return served / (MEASURE_MS / 1000);
}

it(`ten changes that wait for one row leave others ${KEPT * 100} % of their rate`, async () => {
  const wanted = await signUp('wanted@example.com');
  const others = await Promise.all(
    Array.from({ length: CALLERS }, (_, i) => signUp(`other-${i}@example.com`)),
  );
  await rateOfOthers(others);
  const alone = await rateOfOthers(others);
  const lock = await HeldLock.take(database.url, 'SELECT 1 FROM users WHERE id = $1 FOR UPDATE', [wanted]);
  const over = new AbortController();
  const statuses = new Map<number, number>();
  const waiter = async (): Promise<void> => {
    while (!over.signal.aborted) {
      const { status } = await rename(wanted, 'Wanted');
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
  };
  const waiters = Array.from({ length: WAITERS }, waiter);
  const beside = await rateOfOthers(others);
  over.abort();
  await lock.release();
  await Promise.all(waiters);
  process.stdout.write(
    `others: ${alone.toFixed(0)}/s alone, ${beside.toFixed(0)}/s beside ${WAITERS} waiters ` +
      `(${((100 * beside) / alone).toFixed(0)} %); waiters: ${JSON.stringify([...statuses])}\n`,
  );
  expect(beside).toBeGreaterThanOrEqual(KEPT * alone);
}, 120_000);
