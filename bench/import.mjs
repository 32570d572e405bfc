// `npm run bench:import`: imports users, compared with a plain COPY of the same rows into a bare table in
// the same run. Measures sign-ins meanwhile.

import { once } from 'node:events';
import { request } from 'node:http';
import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import pg from 'pg';
import { from } from 'pg-copy-streams';
import { joinEmbeddedPostgres } from '../dist/src/platform/embedded-postgres/embedded-postgres.js';
import { migrate } from '../dist/src/platform/database/startup/migrate.js';
import { quantile, signIn, startService, table } from './service.mjs';

const USERS = Number(process.env.ACCOUNTS ?? 1_000_000);
const CALM_SIGN_INS = 100;
const SIGN_IN_EVERY_MS = 50;
const LOOK_EVERY_MS = 500;
const BATCH = 1000;
/**
 * A user who signs in repeatedly. The oldest sessions end when there are too many, so the import must use
 * another user.
 */
const PERSON = { email: 'somebody@example.com', password: 'only for the benchmarks 8' };
const HASH = `$2b$10$${'.'.repeat(53)}`;

const dataDir = await mkdtemp(join(tmpdir(), 'gatehouse-bench-'));
const embedded = await joinEmbeddedPostgres({ dataDir, notice: () => {} });
const { url: DATABASE_URL, ownerUrl: MIGRATION_DATABASE_URL } = embedded.urls;
try {
  await migrate({ DATABASE_URL, MIGRATION_DATABASE_URL });
  const service = await startService({ DATABASE_URL, MIGRATION_DATABASE_URL, DATA_DIR: dataDir });
  try {
    await measure(service);
  } finally {
    await service.stop();
  }
} finally {
  await embedded.leave();
  await rm(dataDir, { recursive: true, force: true });
}

async function measure(service) {
  const token = await signIn(service);
  await service.send('POST', '/api/users', { body: JSON.stringify({ ...PERSON, name: 'Somebody' }) });
  const calm = [];
  while (calm.length < CALM_SIGN_INS) await timedSignIn(service, calm);
  const copied = await timed(copyAll);
  const busy = [];
  const signing = signInMeanwhile(service, busy);
  let staged;
  const imported = await timed(async () => {
    let job;
    staged = await timed(async () => (job = await upload(service, token)));
    await ended(service, token, job.id);
  });
  await signing.stop();
  report({ copied, staged, imported, calm, busy });
}

async function timed(work) {
  const started = performance.now();
  await work();
  return (performance.now() - started) / 1000;
}

function* batches(line) {
  for (let n = 0; n < USERS; n += BATCH) {
    const rows = Math.min(BATCH, USERS - n);
    yield Array.from({ length: rows }, (_, place) => line(n + place)).join('');
  }
}

async function copyAll() {
  const client = new pg.Client({ connectionString: MIGRATION_DATABASE_URL });
  await client.connect();
  try {
    await client.query(`
      CREATE TABLE bare (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), email text NOT NULL UNIQUE, name text NOT NULL,
        password_hash text, created_at timestamptz NOT NULL DEFAULT now())`);
    const lines = batches((n) => `person.${n}@import.example\tPerson ${n}\t${HASH}\n`);
    await pipeline(
      Readable.from(lines),
      client.query(from('COPY bare (email, name, password_hash) FROM STDIN')),
    );
    await client.query('DROP TABLE bare');
  } finally {
    await client.end();
  }
}

async function upload(service, token) {
  const outgoing = request(new URL('/api/users/import', service.url), {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/x-ndjson' },
  });
  const answered = once(outgoing, 'response');
  const line = (n) =>
    `{"email":"person.${n}@import.example","name":"Person ${n}","password_hash":"${HASH}"}\n`;
  await pipeline(Readable.from(batches(line)), outgoing);
  const [answer] = await answered;
  let text = '';
  for await (const chunk of answer) text += chunk;
  if (answer.statusCode !== 202) throw new Error(`the import answered ${answer.statusCode}: ${text}`);
  return JSON.parse(text);
}

async function ended(service, token, id) {
  for (;;) {
    const { body } = await service.send('GET', `/api/jobs/${id}`, { token });
    const job = JSON.parse(body);
    if (job.finished_at !== null) {
      if (job.done !== USERS) throw new Error(`not all were imported: ${body}`);
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}

async function timedSignIn(service, times) {
  const { status, ms } = await service.send('POST', '/api/auth/login', { body: JSON.stringify(PERSON) });
  if (status !== 200) throw new Error(`sign-in answered ${status}`);
  times.push(ms);
}

function signInMeanwhile(service, times) {
  const over = new AbortController();
  const done = (async () => {
    while (!over.signal.aborted) {
      await timedSignIn(service, times);
      await new Promise((resolve) => setTimeout(resolve, SIGN_IN_EVERY_MS));
    }
  })();
  return {
    stop: () => {
      over.abort();
      return done;
    },
  };
}

function report({ copied, staged, imported, calm, busy }) {
  const row = (name, seconds) => [
    name,
    seconds.toFixed(1),
    Math.round(USERS / seconds),
    `${((copied / seconds) * 100).toFixed(1)} %`,
  ];
  const signIns = (name, times) =>
    `POST /api/auth/login ${name}: p50 ${quantile(times, 0.5).toFixed(0)} ms, p99 ${quantile(times, 0.99).toFixed(0)} ms\n`;
  process.stdout.write(
    `Node ${process.versions.node}, ${availableParallelism()} cores (${cpus()[0]?.model}), ${USERS} users\n\n` +
      `${table([
        ['', 'seconds', 'rows/s', 'of COPY'],
        row('COPY into a bare table', copied),
        row('until 202', staged),
        row('until all are users', imported),
      ])}\n\n${signIns('alone', calm)}${signIns('meanwhile', busy)}`,
  );
}
