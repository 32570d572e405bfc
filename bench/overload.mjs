// `npm run bench:overload`: answers per second of `GET /api/users/me` under far more load than one instance
// can serve, compared with its capacity in the same run. Also compares the CPU time of a refusal with that of
// a bare Express ping.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import pg from 'pg';
import { joinEmbeddedPostgres } from '../dist/src/platform/embedded-postgres/embedded-postgres.js';
import { NODE_FLAGS } from '../scripts/node-flags.mjs';
import { cpuSecondsOf } from './cpu.mjs';
import { median, quantile, signIn, startService, table } from './service.mjs';

const ROUNDS = Number(process.env.ROUNDS ?? 3);
const ROUND_MS = Number(process.env.ROUND_MS ?? 6000);
/** Enough to keep the instance busy without making a caller wait. */
const AT_CAPACITY = 64;
/** The callers that one instance may keep waiting; the closed loops have twice and five times as many. */
const WAITING = 500;
const MIN_SHARE = 0.8;
/** The time excluded from the measurement, in which the queue fills and serves a burst. */
const RAMP_MS = 2000;
/** The connections of a closed loop in which some wait and all others are refused continuously. */
const REFUSED_CONNECTIONS = 256;
/**
 * The time until the first callers have waited as long as they may wait for a connection
 * (DB_CONNECT_TIMEOUT_MS).
 */
const UNTIL_REFUSED_MS = 7000;
const LOOK_EVERY_MS = 200;
/** The share of one core that heartbeats, seals and tasks may use at rest. */
const MAX_IDLE_SHARE = 0.2;
const QUIET_LOOKS = 2;
const PROBE_EVERY_MS = 200;
const PROBE_LIMIT_MS = 1000;

const dataDir = await mkdtemp(join(tmpdir(), 'gatehouse-bench-'));
const healthPort = await freePort();
const embedded = await joinEmbeddedPostgres({ dataDir, notice: () => {} });
const service = await startService({
  DATA_DIR: dataDir,
  DATABASE_URL: embedded.urls.url,
  MIGRATION_DATABASE_URL: embedded.urls.ownerUrl,
  // Acts as a proxy, because one address may not open that many connections at once.
  TRUSTED_PROXIES: '127.0.0.1',
  HEALTH_PORT: String(healthPort),
});
const load = loadFor(Number(new URL(service.url).port));
try {
  const token = await signIn(service);
  const me = request('/api/users/me', token);
  await load.run({ request: me, connections: AT_CAPACITY, ms: ROUND_MS });
  const goodput = await measureGoodput(me);
  // Has the same head, which costs the same to read.
  const cost = await measureRefusals(me, request('/ping', token));
  process.stdout.write(
    `Node ${process.versions.node}, ${availableParallelism()} cores, medians of ${ROUNDS} rounds of ${ROUND_MS / 1000} s in turns\n\n`,
  );
  printGoodput(goodput);
  printCost(cost);
} finally {
  await load.stop();
  await service.stop();
  await embedded.leave();
  await rm(dataDir, { recursive: true, force: true });
}

function request(path, token) {
  const authorization = token === undefined ? '' : `Authorization: Bearer ${token}\r\n`;
  return `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n${authorization}\r\n`;
}

/** Runs every load between two measurements of the capacity, because the machine's speed varies. */
async function measureGoodput(me) {
  const capacity = () => load.run({ request: me, connections: AT_CAPACITY, ms: ROUND_MS / 2 });
  const loads = [
    ['closed loop, 2 times the callers', () => ({ connections: 2 * WAITING })],
    ['closed loop, 5 times the callers', () => ({ connections: 5 * WAITING })],
    ['open loop, 2 times the capacity', (rate) => ({ rate: 2 * rate })],
    ['open loop, 5 times the capacity', (rate) => ({ rate: 5 * rate })],
  ].map(([label, of]) => ({ label, of, rounds: [] }));
  let before = await capacity();
  for (let round = 0; round < ROUNDS; round++) {
    for (const { of, rounds } of loads) {
      const probes = probeDuring();
      const run = await load.run({ request: me, ms: ROUND_MS, rampMs: RAMP_MS, ...of(served(before)) });
      const probed = await probes.stop();
      await idle();
      const after = await capacity();
      const rate = (served(before) + served(after)) / 2;
      rounds.push({ run, probed, capacity: rate, share: served(run) / rate });
      before = after;
    }
  }
  return loads;
}

/** Waits until the service is idle, because it still works on requests that a load left behind. */
async function idle() {
  for (let quiet = 0; quiet < QUIET_LOOKS;) {
    quiet = (await cpuShareFor(LOOK_EVERY_MS)) < MAX_IDLE_SHARE ? quiet + 1 : 0;
  }
}

/** Returns the share of one core that the service uses during `ms`. */
async function cpuShareFor(ms) {
  const before = cpuSecondsOf(service.pid);
  await new Promise((resolve) => setTimeout(resolve, ms));
  return (cpuSecondsOf(service.pid) - before) / (ms / 1000);
}

function served({ times, seconds }) {
  return (times['200'] ?? []).length / seconds;
}

/** Probes as an orchestrator does: sequentially, each on a new connection. */
function probeDuring() {
  const end = new AbortController();
  const times = [];
  const done = (async () => {
    while (!end.signal.aborted) {
      const started = performance.now();
      const answer = await fetch(`http://127.0.0.1:${healthPort}/health/live`, {
        headers: { connection: 'close' },
        signal: AbortSignal.timeout(5 * PROBE_LIMIT_MS),
      }).catch(() => null);
      await answer?.arrayBuffer();
      times.push(answer?.ok ? performance.now() - started : Infinity);
      await new Promise((resolve) => setTimeout(resolve, PROBE_EVERY_MS));
    }
  })();
  return {
    async stop() {
      end.abort();
      await done;
      return times;
    },
  };
}

/** Measures refusals alone: a locked table blocks all requests, so that every new one is refused. */
async function measureRefusals(me, bare) {
  const ping = spawn(process.execPath, [...NODE_FLAGS, join(import.meta.dirname, 'ping.mjs')], {
    env: { PATH: process.env.PATH, NODE_ENV: 'production' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [port] = await once(ping.stdout, 'data');
  const pinging = loadFor(Number(port));
  const owner = new pg.Client({ connectionString: embedded.urls.superuserUrl });
  await owner.connect();
  const rows = { ping: [], refusal: [] };
  await pinging.run({ request: bare, connections: REFUSED_CONNECTIONS, ms: ROUND_MS / 2 });
  const locked = async (work) => {
    await owner.query('BEGIN; LOCK TABLE users IN ACCESS EXCLUSIVE MODE');
    try {
      return await work();
    } finally {
      await owner.query('ROLLBACK');
    }
  };
  try {
    // The service works every second even without requests: heartbeats, seals, tasks.
    const atRest = await locked(() => cpuShareFor(ROUND_MS));
    for (let round = 0; round < ROUNDS; round++) {
      rows.ping.push(await cpuOf(ping.pid, pinging, { request: bare, ms: ROUND_MS / 2 }));
      // The service must keep its caller cached until the end of the round.
      await load.run({ request: me, connections: AT_CAPACITY, ms: ROUND_MS / 4 });
      const task = { request: me, rampMs: UNTIL_REFUSED_MS, ms: ROUND_MS / 2 };
      rows.refusal.push(await locked(() => cpuOf(service.pid, load, task, atRest)));
    }
  } finally {
    await owner.end();
    await pinging.stop();
    ping.kill('SIGINT');
  }
  return rows;
}

/** Returns the microseconds of CPU time per answer, and the share of refusals. */
async function cpuOf(pid, from, task, atRest = 0) {
  const { times, seconds, cpuSeconds } = await from.run({ ...task, pid, connections: REFUSED_CONNECTIONS });
  const answers = Object.values(times).reduce((sum, each) => sum + each.length, 0);
  const spent = cpuSeconds - atRest * seconds;
  return { micros: (spent * 1e6) / answers, refused: (times['503'] ?? []).length / answers };
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

function loadFor(port) {
  const worker = new Worker(new URL('load.mjs', import.meta.url), { workerData: { port } });
  return {
    async run(task) {
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
      worker.postMessage(task);
      const [result] = await once(worker, 'message');
      return result;
    },
    stop: () => worker.terminate(),
  };
}

function printGoodput(loads) {
  const of = (rounds, value) => median(rounds.map(value));
  const p99 = (times) => (times?.length > 0 ? quantile(times, 0.99).toFixed(0) : '');
  const cells = loads.map(({ label, rounds }) => {
    const share = of(rounds, (each) => each.share);
    const slowProbes = rounds.flatMap(({ probed }) => probed.filter((ms) => ms > PROBE_LIMIT_MS)).length;
    const probes = rounds.flatMap(({ probed }) => probed);
    if (share < MIN_SHARE || slowProbes > 0) process.exitCode = 1;
    const others = (each) => (each.run.times['503'] ?? []).length / each.run.seconds;
    return [
      label,
      of(rounds, (each) => each.capacity).toFixed(0),
      of(rounds, (each) => served(each.run)).toFixed(0),
      `${(share * 100).toFixed(0)} %${share < MIN_SHARE ? ' !' : ''}`,
      p99(rounds.flatMap(({ run }) => run.times['200'] ?? [])),
      of(rounds, others).toFixed(0),
      p99(rounds.flatMap(({ run }) => run.times['503'] ?? [])),
      rounds.reduce((sum, { run }) => sum + run.failed, 0),
      rounds.reduce((sum, { run }) => sum + run.unsent, 0),
      `${probes.length - slowProbes} of ${probes.length}`,
      p99(probes),
    ];
  });
  const head = [
    '',
    'capacity/s',
    'served/s',
    'share',
    'p99 ms',
    'refused/s',
    'p99 ms',
    'failed',
    'unsent',
    'probes',
    'p99 ms',
  ];
  process.stdout.write(`${table([head, ...cells])}\n\n`);
}

function printCost({ ping, refusal }) {
  const micros = (rows) => median(rows.map((row) => row.micros));
  const ratio = micros(refusal) / micros(ping);
  const all = refusal.every(({ refused }) => refused > 0.99);
  if (ratio > 1 || !all) process.exitCode = 1;
  const head = ['CPU of an answer', 'µs'];
  const rows = [
    ['bare Express ping', micros(ping).toFixed(0)],
    ['refusal', micros(refusal).toFixed(0)],
  ];
  process.stdout.write(
    `${table([head, ...rows])}\n\nratio ${ratio.toFixed(2)}, required: at most 1${ratio > 1 ? ' !' : ''}${all ? '' : '; some requests were not refused !'}\n`,
  );
}
