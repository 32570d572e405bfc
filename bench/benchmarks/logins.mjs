// Sign-ins per second beside bare argon2 of the same parameters on all cores, and what storms of sign-ins do to other
// requests.

import { availableParallelism } from 'node:os';
import { verify } from 'argon2';
import { Client } from '../harness/client.mjs';
import { addAccounts, PASSWORD, sql } from '../harness/database.mjs';
import { pause, ratePerSecond, repeatUntilStopped } from '../harness/lanes.mjs';
import { startService } from '../harness/service.mjs';
import { median, quantile, ratio, summarize } from '../harness/statistics.mjs';
import { table } from '../harness/table.mjs';

const ACCOUNTS = 1000;
const CORES = availableParallelism();
/** Enough to keep every lane of the hasher busy while answers and next requests are in transit. */
const LANES = CORES * 4;
const STORMS = 5;
const STORM = 200;
const QUICK_STORM = 40;
const CALM_MS = 1_000;
const MEGABYTE = 1024 * 1024;

/** @type {import('../harness/benchmark.mjs').Benchmark} */
export default {
  name: 'logins',
  about: 'sign-ins beside bare argon2 on all cores; storms of sign-ins beside other requests',
  async run(context) {
    const database = await context.server.database('logins');
    const accounts = await addAccounts(database.url, ACCOUNTS);
    const service = await startService(database.environment);
    const client = new Client(service.url, { maxSockets: Infinity });
    let turn = 0;
    /** Returns a sign-in of another account from another network each time, so that only the hasher limits the rate. */
    const nextSignIn = () => {
      const place = turn++ % ACCOUNTS;
      const { email, password } = accounts[place];
      const headers = { 'x-forwarded-for': `10.${Math.floor(place / 250)}.${place % 250}.1` };
      return ['POST', '/api/auth/login', { headers, body: JSON.stringify({ email, password }) }];
    };
    try {
      await throughput({ ...context, database, client, nextSignIn, account: accounts[0] });
      await storms({ ...context, service, attempt: () => client.send(...nextSignIn()) });
    } finally {
      client.close();
      await service.stop();
    }
  },
};

async function throughput({ database, client, nextSignIn, account, rounds, quick, report }) {
  const [{ hash }] = await sql(database.url, 'SELECT password_hash AS hash FROM users WHERE id = $1', [
    account.id,
  ]);
  const ms = quick ? 1_000 : 5_000;
  const login = () => client.expect(200, ...nextSignIn());
  const [bare, logins] = [[], []];
  await ratePerSecond({ lanes: LANES, ms: 1_000 }, login);
  for (let round = 0; round < rounds; round++) {
    bare.push(await ratePerSecond({ lanes: CORES, ms }, () => verify(hash, PASSWORD)));
    logins.push(await ratePerSecond({ lanes: LANES, ms }, login));
  }
  report.row({
    id: 'login.share',
    name: 'POST /api/auth/login ÷ bare argon2 on all cores',
    unit: '×',
    measure: ratio(logins, bare),
  });
  const cells = Object.entries({ 'bare argon2': bare, [`sign-ins, ${LANES} at once`]: logins }).map(
    ([name, all]) => {
      const { value, low, high } = summarize(all);
      return [name, ...[value, low, high].map((rate) => rate.toFixed(1))];
    },
  );
  report.text(table([['', 'median a second', 'least', 'most'], ...cells]));
}

async function storms({ service, attempt, quick, report }) {
  const token = await service.signInAdmin();
  const read = async () => (await service.client.expect(200, 'GET', '/api/users/me', { token })).ms;
  const residentMb = async () => (await service.process.usage()).rssBytes / MEGABYTE;
  const size = quick ? QUICK_STORM : STORM;
  const rows = [];
  const [p99s, growths] = [[], []];
  await during(read, () => pause(CALM_MS));
  // Measured after the service has served reads.
  const atFirst = await residentMb();
  for (let storm = 1; storm <= (quick ? 1 : STORMS); storm++) {
    const before = await residentMb();
    const calm = await during(read, () => pause(CALM_MS));
    let statuses = [];
    let peak = 0;
    const watching = repeatUntilStopped(async () => (peak = Math.max(peak, await residentMb())), 20);
    const busy = await during(read, async () => {
      statuses = (await Promise.all(Array.from({ length: size }, attempt))).map(({ status }) => status);
    });
    await watching.stop();
    const count = (status) => statuses.filter((each) => each === status).length;
    if (count(200) + count(503) !== size) throw new Error(`a storm was answered ${statuses.join()}`);
    p99s.push(quantile(busy, 0.99));
    growths.push(peak - before);
    const times = [median(busy), quantile(busy, 0.99), Math.max(...busy)].map((ms) => ms.toFixed(1));
    const memory = [peak, peak - before, peak - atFirst].map((mb) => mb.toFixed(0));
    rows.push([
      storm,
      quantile(calm, 0.99).toFixed(1),
      busy.length,
      ...times,
      ...memory,
      count(200),
      count(503),
    ]);
  }
  const worst = (values) => ({ ...summarize(values), value: Math.max(...values) });
  report.row({
    id: 'storm.p99',
    name: `p99 of me in the worst storm of ${size}`,
    unit: 'ms',
    measure: worst(p99s),
  });
  report.row({
    id: 'storm.growth',
    name: 'growth of memory in the worst storm',
    unit: 'MB',
    measure: worst(growths),
  });
  const memory = ['peak MB', 'growth MB', 'since the first'];
  const head = ['storm', 'calm p99 ms', 'reads', 'median ms', 'p99 ms', 'max ms', ...memory, '200', '503'];
  report.text(table([head, ...rows]));
}

/** Returns the duration of each read during the work. */
async function during(read, work) {
  const reading = repeatUntilStopped(read);
  await work();
  return reading.stop();
}
