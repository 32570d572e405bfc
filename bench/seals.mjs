// `npm run bench:seals`: the time to seal 10,000 entries, from the horizon to the commit, and its effect on
// writers. Runs on the embedded PostgreSQL with its default, durable settings.

import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { createApp } from '../dist/src/app.js';
import { readConfig } from '../dist/src/config/config.js';
import { SealingService } from '../dist/src/modules/audit/sealing/sealing.service.js';
import { SealWriter } from '../dist/src/modules/audit/sealing/seal.writer.js';
import { SealsService } from '../dist/src/modules/audit/sealing/seals.service.js';
import { joinEmbeddedPostgres } from '../dist/src/platform/embedded-postgres/embedded-postgres.js';
import { migrate } from '../dist/src/platform/database/startup/migrate.js';
import { median, quantile, table } from './service.mjs';

const ENTRIES = 10_000;
const ROUNDS = Number(process.env.ROUNDS ?? 20);
const MAX_MS = 1000;
const CALM_WRITES = 500;

const INSERT = `INSERT INTO audit_entries
  (id, occurred_at, actor_type, actor_id, session_id, action, target_type, target_id, outcome, request_id, trace_id,
   origin_key, origin_sealed, changes_key, changes_sealed)
  SELECT gen_random_uuid(), clock_timestamp(), 'user', gen_random_uuid(), gen_random_uuid(), 'user.update', 'user',
         gen_random_uuid()::text, 'success', gen_random_uuid()::text, md5(n::text), gen_random_uuid(),
         sha256(n::text::bytea) || sha256('a'), gen_random_uuid(), sha256(n::text::bytea) || sha256('b')
  FROM generate_series(1, $1::integer) AS n`;

const dataDir = await mkdtemp(join(tmpdir(), 'gatehouse-bench-'));
const embedded = await joinEmbeddedPostgres({ dataDir, notice: () => {} });
const { url: DATABASE_URL, ownerUrl: MIGRATION_DATABASE_URL } = embedded.urls;
try {
  await migrate({ DATABASE_URL, MIGRATION_DATABASE_URL });
  const app = await createApp(readConfig({ DATABASE_URL, DATA_DIR: dataDir, LOG_LEVEL: 'silent' }));
  await app.init();
  // The app's own sealer runs every second and would seal the entries to be measured.
  await app.get(SealWriter).onModuleDestroy();
  const client = new pg.Client({ connectionString: DATABASE_URL });
  await client.connect();
  try {
    await measure(app, client);
  } finally {
    await client.end();
    await app.close();
  }
} finally {
  await embedded.leave();
  await rm(dataDir, { recursive: true, force: true });
}

async function measure(app, client) {
  const sealing = app.get(SealingService);
  const times = [];
  const busy = [];
  await sealing.sealNext();
  const calm = await writesUntil(client, (count) => count >= CALM_WRITES);
  while ((await sealing.sealNext()).entries > 0);
  for (let round = 0; round < ROUNDS; round++) {
    await client.query(INSERT, [ENTRIES]);
    let done = false;
    const started = performance.now();
    const sealed = sealing.sealNext().finally(() => {
      times.push(performance.now() - started);
      done = true;
    });
    busy.push(...(await writesUntil(client, () => done)));
    const { entries } = await sealed;
    if (entries !== ENTRIES) throw new Error(`${entries} entries were sealed`);
    while ((await sealing.sealNext()).entries > 0);
  }
  const started = performance.now();
  const { valid, entries } = await app.get(SealsService).verify({});
  const verifyMs = performance.now() - started;
  if (!valid) throw new Error('the audit log does not verify');
  report({ times, calm, busy, entries, verifyMs });
}

/**
 * Writes single entries sequentially, each in its own transaction.
 * @returns the milliseconds of each write
 */
async function writesUntil(client, isDone) {
  const times = [];
  while (!isDone(times.length)) {
    const started = performance.now();
    await client.query(INSERT, [1]);
    times.push(performance.now() - started);
  }
  return times;
}

function report({ times, calm, busy, entries, verifyMs }) {
  const worst = Math.max(...times);
  const row = (name, values) => [
    name,
    values.length,
    ...[median(values), quantile(values, 0.99), Math.max(...values)].map((ms) => ms.toFixed(1)),
  ];
  process.stdout.write(
    `Node ${process.versions.node}, ${availableParallelism()} cores (${cpus()[0]?.model}), ${ROUNDS} seals of ${ENTRIES} entries, required: ` +
      `under ${MAX_MS} ms each\n\n${table([
        ['', 'times', 'median ms', 'p99 ms', 'max ms'],
        row(`seal ${ENTRIES} entries`, times),
        row('write one entry during a seal', busy),
        row('write one entry otherwise', calm),
      ])}\n\nverified: ${entries} entries in ${(verifyMs / 1000).toFixed(1)} s\n`,
  );
  if (worst >= MAX_MS) process.exitCode = 1;
}
