// Measures what a hanging service of breached passwords does to other requests and to sign-ups, and how its circuit breaker opens,
// probes and closes.

import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { Client } from '../harness/client.mjs';
import { pause } from '../harness/lanes.mjs';
import { sendLoad } from '../harness/load.mjs';
import { startService } from '../harness/service.mjs';
import { median, quantile, ratio, summarize } from '../harness/statistics.mjs';
import { format, table } from '../harness/table.mjs';

const CONNECTIONS = 16;
const FULL = { seconds: 4, signUps: 60, callerMs: 10_000, returns: 5 };
const QUICK = { seconds: 1, signUps: 10, callerMs: 3_000, returns: 1 };
/** The sign-ups begin at this pace however long each one takes, so that all modes hash as many passwords. */
const SIGN_UP_EVERY_MS = 125;
/** Slower than any answer that is of use, and just within the time that the service waits for one. */
const LATE_MS = 1_800;
const CALLERS = 50;
/** The time after which an open breaker lets a probe through. */
const REOPEN_MS = 2_000;
const LOOK_EVERY_MS = 10;
const STATE_TIMEOUT_MS = 60_000;

/** @type {import('../harness/benchmark.mjs').Benchmark} */
export default {
  name: 'upstream',
  about: 'a hanging service of breached passwords beside other requests and sign-ups',
  async run({ server, quick, rounds, report }) {
    const database = await server.database('upstream');
    const ranges = await Ranges.start();
    const checking = await startService({
      ...database.environment,
      OUTBOUND_ALLOW_PRIVATE: 'true',
      PWNED_PASSWORDS_URL: `${ranges.url}/range`,
    });
    const plain = await startService(database.environment);
    const callers = [checking, plain].map(({ url }) => new Client(url, { maxSockets: Infinity }));
    const [client, plainClient] = callers;
    try {
      const context = { ...(quick ? QUICK : FULL), rounds, report, ranges, checking, client, plainClient };
      await measureOthers(context);
      await measureSignUps(context);
      await measureReturns(context);
      await measureProbes(context);
    } finally {
      for (const each of callers) each.close();
      await checking.stop();
      await plain.stop();
      await ranges.stop();
    }
  },
};

/** A service of ranges that knows no password and answers as it is told. */
class Ranges {
  /** @type {'healthy' | 'late' | 'failing' | 'hanging'} */
  mode = 'healthy';
  /** The number of requests so far. */
  seen = 0;
  /** The largest number of requests in progress at once. */
  mostAtOnce = 0;
  #inProgress = 0;
  #server = createServer((_, response) => {
    this.seen += 1;
    this.mostAtOnce = Math.max(this.mostAtOnce, ++this.#inProgress);
    response.once('close', () => (this.#inProgress -= 1)).on('error', () => {});
    const answer = () => response.end(`${'0'.repeat(35)}:1`);
    if (this.mode === 'healthy') answer();
    if (this.mode === 'late') setTimeout(answer, LATE_MS);
    if (this.mode === 'failing') response.writeHead(500).end();
  });

  static async start() {
    const ranges = new Ranges();
    ranges.#server.listen(0, '127.0.0.1');
    await once(ranges.#server, 'listening');
    return ranges;
  }

  get url() {
    return `http://127.0.0.1:${this.#server.address().port}`;
  }

  async stop() {
    const closed = once(this.#server.close(), 'close');
    this.#server.closeAllConnections();
    await closed;
  }
}

/** Measures other requests while sign-ups wait for each kind of service of ranges, in turns. */
async function measureOthers({ ranges, checking, client, seconds, rounds, report }) {
  const token = await checking.signInAdmin();
  const load = { requests: [{ path: '/api/users/me', token }], connections: CONNECTIONS, seconds };
  const results = { healthy: [], late: [], hanging: [] };
  // The first round warms up.
  for (let round = -1; round < rounds; round++) {
    const modes = Object.keys(results);
    // Each mode is sometimes first and sometimes last.
    for (const mode of round % 2 === 0 ? modes : modes.toReversed()) {
      await untilClosed(ranges, client);
      ranges.mode = mode;
      const signUps = beginSignUps(client);
      const result = await sendLoad(checking.url, load);
      await signUps.stop();
      if (round >= 0) results[mode].push(result);
    }
  }
  for (const [key, name] of [
    ['p50Ms', 'p50'],
    ['p99Ms', 'p99'],
  ]) {
    const of = (mode) => results[mode].map((result) => result[key]);
    const row = (mode, when) =>
      report.row({
        id: `upstream.${mode}.${name}`,
        targetId: `upstream.${name}`,
        name: `${name} of me while sign-ups wait for ${when} ÷ for one that answers`,
        unit: '×',
        measure: ratio(of(mode), of('healthy')),
      });
    row('hanging', 'a service of ranges that hangs');
    row('late', `one that answers after ${LATE_MS} ms`);
  }
  const cells = Object.entries(results).map(([mode, all]) => [
    mode,
    ...['p50Ms', 'p99Ms'].map((key) => format(median(all.map((result) => result[key])))),
    format(median(all.map((result) => result.requests / result.seconds))),
  ]);
  report.text(table([['service of ranges', 'me, p50 ms', 'p99 ms', 'a second'], ...cells]));
}

/** Measures sign-ups while the breaker is open beside those of an instance without the check, in turns. */
async function measureSignUps({ ranges, client, plainClient, signUps, rounds, report }) {
  await untilOpen(ranges, client, 'failing');
  const [open, plain, added] = [[], [], []];
  for (let round = 0; round < rounds; round++) {
    const [some, others] = [[], []];
    while (some.length < signUps) {
      const { seen } = ranges;
      const { ms } = await signUp(client, 201);
      // A probe is no sign-up under an open breaker.
      if (ranges.seen !== seen) continue;
      some.push(ms);
      others.push((await signUp(plainClient, 201)).ms);
    }
    added.push(median(some) - median(others));
    open.push(...some);
    plain.push(...others);
  }
  const row = (id, name, measure) =>
    report.row({
      id,
      targetId: 'upstream.added',
      name: `${name} of a sign-up under an open breaker − without a check`,
      unit: 'ms',
      measure,
    });
  row('upstream.added.median', 'median', summarize(added));
  const [p99, plainP99] = [open, plain].map((times) => quantile(times, 0.99));
  row('upstream.added.p99', 'p99', { value: p99 - plainP99, low: p99 - plainP99, high: p99 - plainP99 });
  report.text(
    table([
      [`${open.length} sign-ups`, 'median ms', 'p99 ms'],
      ['under an open breaker', format(median(open)), format(p99)],
      ['without a check', format(median(plain)), format(plainP99)],
    ]),
  );
}

/** Measures the time from the return of a hanging service of ranges until the breaker is closed. */
async function measureReturns({ ranges, client, returns, report }) {
  const times = [];
  for (let n = 0; n < returns; n++) {
    await untilClosed(ranges, client);
    await untilOpen(ranges, client, 'hanging');
    const signUps = beginSignUps(client);
    // Another moment between two probes each time.
    await pause((REOPEN_MS * n) / returns);
    const returnedAt = performance.now();
    ranges.mode = 'healthy';
    await untilState(client, 'closed');
    times.push(performance.now() - returnedAt);
    await signUps.stop();
  }
  const slowest = Math.max(...times);
  report.row({
    id: 'upstream.return',
    name: `the slowest of ${returns} closings of the breaker after the return of the service of ranges`,
    unit: 'ms',
    measure: { value: slowest, low: Math.min(...times), high: slowest },
  });
}

/** Counts the requests that a hanging service of ranges gets at once while many callers want to sign up. */
async function measureProbes({ ranges, client, callerMs, report }) {
  await untilClosed(ranges, client);
  await untilOpen(ranges, client, 'hanging');
  ranges.mostAtOnce = 0;
  ranges.seen = 0;
  const endsAt = performance.now() + callerMs;
  const lanes = Array.from({ length: CALLERS }, async () => {
    while (performance.now() < endsAt) await signUp(client);
  });
  await Promise.all(lanes);
  if (ranges.seen === 0) throw new Error('no probe was sent');
  const { mostAtOnce } = ranges;
  report.row({
    id: 'upstream.probes',
    name: `probes at once while the breaker is half open, with ${CALLERS} callers`,
    unit: '',
    measure: { value: mostAtOnce, low: mostAtOnce, high: mostAtOnce },
  });
  report.text(`${ranges.seen} probes in ${(callerMs / 1000).toFixed(0)} s`);
}

/** Signs a user up with a password of its own. Without `status`, any answer will do. */
function signUp(client, status) {
  const password = randomUUID();
  const body = JSON.stringify({ email: `${randomUUID()}@upstream.example`, name: 'Ada', password });
  return status === undefined
    ? client.send('POST', '/api/users', { body })
    : client.expect(status, 'POST', '/api/users', { body });
}

/** Begins sign-ups at a steady pace. `stop` waits for those in progress. */
function beginSignUps(client) {
  const all = [];
  const timer = setInterval(() => all.push(signUp(client, 201)), SIGN_UP_EVERY_MS);
  return {
    stop: () => {
      clearInterval(timer);
      return Promise.all(all);
    },
  };
}

/** Makes the service of ranges fail in that way, and signs users up until the breaker is open. */
async function untilOpen(ranges, client, mode) {
  ranges.mode = mode;
  await signUpUntil(client, 'open');
}

/** Makes the service of ranges answer, and signs users up until the breaker notices. */
async function untilClosed(ranges, client) {
  ranges.mode = 'healthy';
  await signUpUntil(client, 'closed');
}

/** Signs users up until the breaker has that state, which only calls change. */
async function signUpUntil(client, state) {
  const signUps = beginSignUps(client);
  await untilState(client, state);
  await signUps.stop();
}

async function untilState(client, state) {
  const endsAt = performance.now() + STATE_TIMEOUT_MS;
  for (;;) {
    const { body } = await client.expect(200, 'GET', '/metrics');
    if (body.includes(`outbound_breakers{state="${state}"} 1`)) return;
    if (performance.now() > endsAt) throw new Error(`the breaker is not ${state}`);
    await pause(LOOK_EVERY_MS);
  }
}
