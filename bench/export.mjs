// `npm run bench:export`: exports a million users in each format, compared with PostgreSQL's own client
// for the same columns on the same server. Measures the growth of the process and the latency of other
// requests meanwhile.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Worker } from 'node:worker_threads';
import pg from 'pg';
import { to } from 'pg-copy-streams';
import { joinEmbeddedPostgres } from '../dist/src/platform/embedded-postgres/embedded-postgres.js';
import { migrate } from '../dist/src/platform/database/startup/migrate.js';
import { addSampleUsers } from '../scripts/sample-users.mjs';
import { median, quantile, signIn, startService, table } from './service.mjs';

const USERS = Number(process.env.ACCOUNTS ?? 1_000_000);
const ROUNDS = Number(process.env.ROUNDS ?? 9);
/** The required share of the plain COPY's rows per second. */
const LEAST = { ndjson: 0.6, csv: 0.6, sse: 0.4 };
const MAX_GROWTH_MB = 64;
const MAX_SLOWDOWN = 2;
/** Rare enough to take nothing from the exports. */
const ASK_EVERY_MS = 50;
/**
 * The calm time of each round: about as long as its exports, so that both meet the same other load of the
 * machine.
 */
const CALM_MS = 8000;

const COPY = `COPY (SELECT id, email, name, status, roles, email_verified, version, last_login_at, created_at, updated_at
  FROM users WHERE status <> 'deleted') TO STDOUT`;

const reader = new Worker(new URL('export-reader.mjs', import.meta.url));
const dataDir = await mkdtemp(join(tmpdir(), 'gatehouse-bench-'));
const embedded = await joinEmbeddedPostgres({ dataDir, notice: () => {} });
const { url: DATABASE_URL, ownerUrl: MIGRATION_DATABASE_URL } = embedded.urls;
try {
  await migrate({ DATABASE_URL, MIGRATION_DATABASE_URL });
  await fill();
  const service = await startService({ DATABASE_URL, MIGRATION_DATABASE_URL, DATA_DIR: dataDir });
  try {
    await measure(service);
  } finally {
    await service.stop();
  }
} finally {
  await reader.terminate();
  await embedded.leave();
  await rm(dataDir, { recursive: true, force: true });
}

async function fill() {
  const client = new pg.Client({ connectionString: MIGRATION_DATABASE_URL });
  await client.connect();
  try {
    await addSampleUsers(client, { users: USERS, passwordHash: null });
    await client.query('VACUUM ANALYZE users');
  } finally {
    await client.end();
  }
}

async function measure(service) {
  const token = await signIn(service);
  const hasPsql = spawnSync('psql', ['--version']).status === 0;
  const rows = await count();
  await listen(service, token, []);
  const before = memoryOf(service.pid);
  const rates = new Map();
  const calm = [];
  const busy = [];
  let most = before;
  for (let round = 0; round < ROUNDS; round++) {
    await listen(service, token, calm);
    add(
      rates,
      'copy',
      await timed(async () => {
        await (hasPsql ? copyByPsql() : copyByNode());
        return rows;
      }),
    );
    for (const format of Object.keys(LEAST)) {
      const asking = askMeanwhile(service, token, busy);
      const watching = setInterval(() => (most = Math.max(most, memoryOf(service.pid))), 50);
      add(rates, format, await timed(() => exportAll(service, token, format)));
      clearInterval(watching);
      await asking.stop();
    }
  }
  report({ rates, calm, busy, grown: most - before, hasPsql });
}

function add(rates, name, { rows, seconds }) {
  rates.set(name, [...(rates.get(name) ?? []), rows / seconds]);
}

async function timed(work) {
  const started = performance.now();
  const rows = await work();
  return { rows, seconds: (performance.now() - started) / 1000 };
}

function copyByPsql() {
  return new Promise((resolve, reject) => {
    const child = spawn('psql', [MIGRATION_DATABASE_URL, '-q', '-c', COPY], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    child
      .once('error', reject)
      .once('exit', (code) => (code === 0 ? resolve() : reject(new Error(`psql: ${code}`))));
  });
}

async function copyByNode() {
  const client = new pg.Client({ connectionString: MIGRATION_DATABASE_URL });
  await client.connect();
  try {
    await pipeline(client.query(to(COPY)), new Writable({ write: (_chunk, _encoding, done) => done() }));
  } finally {
    await client.end();
  }
}

async function count() {
  const client = new pg.Client({ connectionString: MIGRATION_DATABASE_URL });
  await client.connect();
  const { rows: found } = await client.query(
    `SELECT count(*)::integer AS n FROM users WHERE status <> 'deleted'`,
  );
  await client.end();
  return found[0].n;
}

async function exportAll(service, token, format) {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
  reader.postMessage({ url: service.url, path: `/api/export/users?format=${format}`, token });
  const [{ rows, error }] = await once(reader, 'message');
  if (error) throw new Error(error);
  return rows;
}

async function ask(service, token, times) {
  const { status, ms } = await service.send('GET', '/api/users/me', { token });
  if (status !== 200) throw new Error(`GET /api/users/me answered ${status}`);
  times.push(ms);
}

async function listen(service, token, times) {
  const asking = askMeanwhile(service, token, times);
  await new Promise((resolve) => setTimeout(resolve, CALM_MS));
  await asking.stop();
}

function askMeanwhile(service, token, times) {
  const over = new AbortController();
  const done = (async () => {
    while (!over.signal.aborted) {
      await ask(service, token, times);
      await new Promise((resolve) => setTimeout(resolve, ASK_EVERY_MS));
    }
  })();
  return {
    stop: () => {
      over.abort();
      return done;
    },
  };
}

/** Returns the resident memory in MB; 0 where the system does not report it. */
function memoryOf(pid) {
  try {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024;
  } catch {
    return 0;
  }
}

function report({ rates, calm, busy, grown, hasPsql }) {
  const plain = median(rates.get('copy'));
  const row = ([name, all]) => [
    name === 'copy' ? `COPY by ${hasPsql ? 'psql' : 'pg-copy-streams'}` : name,
    Math.round(median(all)),
    `${Math.round((median(all) / plain) * 100)} %`,
    name === 'copy' ? '' : `${LEAST[name] * 100} %`,
  ];
  const slower = quantile(busy, 0.99) / quantile(calm, 0.99);
  process.stdout.write(
    `Node ${process.versions.node}, ${availableParallelism()} cores (${cpus()[0]?.model}), ${USERS} users, medians of ${ROUNDS}\n\n` +
      `${table([['', 'rows/s', 'of COPY', 'at least'], ...[...rates].map(row)])}\n\n` +
      `the process grows by ${grown.toFixed(0)} MB (at most ${MAX_GROWTH_MB})\n` +
      `GET /api/users/me, p99: ${quantile(calm, 0.99).toFixed(1)} ms alone, ${quantile(busy, 0.99).toFixed(1)} ms meanwhile, ` +
      `${slower.toFixed(1)} times (at most ${MAX_SLOWDOWN})\n`,
  );
  const slow = Object.entries(LEAST).some(([name, least]) => median(rates.get(name)) < plain * least);
  if (slow || grown > MAX_GROWTH_MB || slower > MAX_SLOWDOWN) process.exitCode = 1;
}
