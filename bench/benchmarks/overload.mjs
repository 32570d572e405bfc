// Answers per second of `GET /api/users/me` under far more load than one instance can serve, beside its capacity in the
// same run, and the CPU time of a refusal beside that of a bare Express ping.

import { once } from 'node:events';
import { createServer } from 'node:net';
import { Worker } from 'node:worker_threads';
import { rawRequest } from '../harness/connection.mjs';
import { withClient } from '../harness/database.mjs';
import { pause, repeatUntilStopped } from '../harness/lanes.mjs';
import { startPeer } from '../harness/peers.mjs';
import { startService, UNLIMITED } from '../harness/service.mjs';
import { median, quantile, ratio, summarize } from '../harness/statistics.mjs';
import { table } from '../harness/table.mjs';

const ROUNDS = 3;
const FULL = { roundMs: 6_000, rampMs: 2_000 };
const QUICK = { roundMs: 600, rampMs: 200 };
const UNTIL_REFUSED_MS = 7_000;
/** Enough to keep the instance busy without making a caller wait. */
const AT_CAPACITY = 64;
/** The callers that one instance may keep waiting; the closed loops have twice and five times as many. */
const WAITING = 500;
/** The connections of a closed loop in which some wait and all others are refused continuously. */
const REFUSED_CONNECTIONS = 256;
const LOOK_EVERY_MS = 200;
/** The share of one core that heartbeats, seals and tasks may use at rest. */
const MAX_IDLE_SHARE = 0.2;
const QUIET_LOOKS = 2;
const MAX_LOOKS = 50;
const PROBE_EVERY_MS = 200;
const PROBE_LIMIT_MS = 1000;

/** @type {import('../harness/benchmark.mjs').Benchmark} */
export default {
  name: 'overload',
  about: 'answers under far more load than one instance can serve, and the cost of a refusal',
  async run({ server, quick, rounds: wanted, report }) {
    const sizes = quick ? QUICK : FULL;
    const rounds = quick ? 1 : Math.min(wanted, ROUNDS);
    const database = await server.database('overload');
    const healthPort = await freePort();
    const service = await startService({
      ...database.environment,
      // The rate is higher than the highest limit.
      ...UNLIMITED,
      LOG_LEVEL: 'warn',
      HEALTH_PORT: String(healthPort),
    });
    const load = loadFor(service.process);
    try {
      const token = await service.signInAdmin();
      const context = { service, load, healthPort, rounds, quick, report, database, ...sizes };
      const me = rawRequest({ path: '/api/users/me', token });
      await load.run({ request: me, connections: AT_CAPACITY, ms: sizes.roundMs });
      await measureGoodput(me, context);
      // A locked table stops the requests that were let in; only after 7 s is every new one refused. The ping has the
      // same head, which costs the same to read.
      if (!quick) await measureRefusals(me, rawRequest({ path: '/ping', token }), context);
    } finally {
      await load.stop();
      await service.stop();
    }
  },
};

/** Runs every load between two measurements of the capacity, because the machine's speed varies. */
async function measureGoodput(me, { service, load, healthPort, rounds, quick, report, roundMs, rampMs }) {
  const capacity = () => load.run({ request: me, connections: AT_CAPACITY, ms: roundMs / 2 });
  const loads = [
    ['closed loop, 2 times the callers', () => ({ connections: 2 * WAITING })],
    ['closed loop, 5 times the callers', () => ({ connections: 5 * WAITING })],
    ['open loop, 2 times the capacity', (rate) => ({ rate: 2 * rate })],
    ['open loop, 5 times the capacity', (rate) => ({ rate: 5 * rate })],
  ]
    .filter((_, place) => !quick || place % 2 === 0)
    .map(([label, of]) => ({ label, of, rounds: [] }));
  let before = await capacity();
  for (let round = 0; round < rounds; round++) {
    for (const each of loads) {
      const probing = repeatUntilStopped(() => probe(healthPort), PROBE_EVERY_MS);
      const run = await load.run({ request: me, ms: roundMs, rampMs, ...each.of(served(before)) });
      const probed = await probing.stop();
      await idle(service.process);
      const after = await capacity();
      const rate = (served(before) + served(after)) / 2;
      each.rounds.push({ run, probed, capacity: rate, share: served(run) / rate });
      before = after;
    }
  }
  reportGoodput(loads, report);
}

/** Waits until the service is idle, because it still works on requests that a load left behind. */
async function idle(process) {
  let quiet = 0;
  for (let looks = 0; quiet < QUIET_LOOKS && looks < MAX_LOOKS; looks++) {
    quiet = (await cpuShareFor(process, LOOK_EVERY_MS)) < MAX_IDLE_SHARE ? quiet + 1 : 0;
  }
}

/** Returns the share of one core that the service uses during `ms`. */
async function cpuShareFor(process, ms) {
  const before = await process.usage();
  await pause(ms);
  return ((await process.usage()).cpuMicros - before.cpuMicros) / 1000 / ms;
}

function served({ times, seconds }) {
  return (times['200'] ?? []).length / seconds;
}

/** Probes as an orchestrator does, on a new connection. Returns the milliseconds, or Infinity for a failure. */
async function probe(port) {
  const started = performance.now();
  const answer = await fetch(`http://127.0.0.1:${port}/health/live`, {
    headers: { connection: 'close' },
    signal: AbortSignal.timeout(5 * PROBE_LIMIT_MS),
  }).catch(() => null);
  await answer?.arrayBuffer();
  return answer?.ok ? performance.now() - started : Infinity;
}

function reportGoodput(loads, report) {
  const of = (rounds, value) => median(rounds.map(value));
  const p99 = (times) => (times.length > 0 ? quantile(times, 0.99).toFixed(0) : '');
  const refused = ({ run }) => (run.times['503'] ?? []).length / run.seconds;
  const cells = loads.map(({ label, rounds }) => {
    const measure = summarize(rounds.map(({ share }) => share));
    report.row({
      id: `overload.${label}`,
      targetId: 'overload.share',
      name: `served in a ${label} ÷ capacity`,
      unit: '×',
      measure,
    });
    const probes = rounds.flatMap(({ probed }) => probed);
    return [
      label,
      of(rounds, (each) => each.capacity).toFixed(0),
      of(rounds, (each) => served(each.run)).toFixed(0),
      p99(rounds.flatMap(({ run }) => run.times['200'] ?? [])),
      of(rounds, refused).toFixed(0),
      p99(rounds.flatMap(({ run }) => run.times['503'] ?? [])),
      rounds.reduce((sum, { run }) => sum + run.failed, 0),
      rounds.reduce((sum, { run }) => sum + run.unsent, 0),
      probes.length,
      p99(probes),
    ];
  });
  const all = loads.flatMap(({ rounds }) => rounds.flatMap(({ probed }) => probed));
  const slow = all.filter((ms) => ms > PROBE_LIMIT_MS).length;
  const measure = { value: slow, low: slow, high: slow };
  report.row({ id: 'overload.probes', name: `probes over a second, of ${all.length}`, unit: '', measure });
  const head = [
    '',
    'capacity/s',
    'served/s',
    'p99 ms',
    'refused/s',
    'p99 ms',
    'failed',
    'unsent',
    'probes',
    'p99 ms',
  ];
  report.text(table([head, ...cells]));
}

/** Measures refusals alone: a locked table blocks all requests, so that every new one is refused. */
async function measureRefusals(me, bare, { service, load, database, rounds, report, roundMs }) {
  const ping = await startPeer('express', { DATABASE_URL: database.url });
  const pinging = loadFor(ping);
  const micros = { ping: [], refusal: [] };
  try {
    await withClient(database.url, async (owner) => {
      const locked = async (work) => {
        await owner.query('BEGIN; LOCK TABLE users IN ACCESS EXCLUSIVE MODE');
        try {
          return await work();
        } finally {
          await owner.query('ROLLBACK');
        }
      };
      await pinging.run({ request: bare, connections: REFUSED_CONNECTIONS, ms: roundMs / 2 });
      // The service works every second even without requests: heartbeats, seals, tasks.
      const atRest = await locked(() => cpuShareFor(service.process, roundMs));
      for (let round = 0; round < rounds; round++) {
        micros.ping.push((await cpuOf(pinging, { request: bare, ms: roundMs / 2 })).micros);
        // The service must keep its caller cached until the end of the round.
        await load.run({ request: me, connections: AT_CAPACITY, ms: roundMs / 4 });
        const task = { request: me, rampMs: UNTIL_REFUSED_MS, ms: roundMs / 2 };
        const refusals = await locked(() => cpuOf(load, task, atRest));
        // Without answers the share is not a number.
        if (!(refusals.refused >= 0.99))
          throw new Error(`${refusals.refused * 100} % of the requests were refused, not all`);
        micros.refusal.push(refusals.micros);
      }
    });
  } finally {
    await pinging.stop();
    await ping.stop();
  }
  const measure = ratio(micros.refusal, micros.ping);
  report.row({ id: 'overload.refusal', name: 'CPU of a refusal ÷ bare Express ping', unit: '×', measure });
  const cells = Object.entries(micros).map(([name, all]) => [name, median(all).toFixed(0)]);
  report.text(table([['CPU of an answer', 'µs'], ...cells]));
}

/** Returns the microseconds of CPU time per answer, and the share of refusals. */
async function cpuOf(load, task, atRest = 0) {
  const { times, seconds, cpuMicros } = await load.run({ ...task, connections: REFUSED_CONNECTIONS });
  const answers = Object.values(times).reduce((sum, each) => sum + each.length, 0);
  const spent = cpuMicros - atRest * seconds * 1e6;
  return { micros: spent / answers, refused: (times['503'] ?? []).length / answers };
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

/** Sends load to a process from a thread, and measures what the process uses once answers are counted. */
function loadFor(process) {
  const worker = new Worker(new URL('../harness/overload-load.mjs', import.meta.url), {
    workerData: { port: Number(new URL(process.url).port) },
  });
  return {
    async run(task) {
      worker.postMessage(task);
      let [message] = await once(worker, 'message');
      let before = 0;
      if (message === 'began') {
        const finished = once(worker, 'message');
        before = (await process.usage()).cpuMicros;
        [message] = await finished;
      }
      const { cpuMicros } = await process.usage();
      return { ...message, cpuMicros: cpuMicros - before };
    },
    stop: () => worker.terminate(),
  };
}
