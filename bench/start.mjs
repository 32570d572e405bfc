// `npm run bench:start`: the time from process start to ready on an existing database, and the memory of the
// idle process.

import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { joinEmbeddedPostgres } from '../dist/src/platform/embedded-postgres/embedded-postgres.js';
import { median, startService, table } from './service.mjs';

const STARTS = 20;
const IDLE_MS = 5_000;
const MAX_START_MS = 3_000;
const MAX_RSS_MB = 150;

const dataDir = await mkdtemp(join(tmpdir(), 'gatehouse-bench-'));
const rows = [];
try {
  rows.push(['embedded database, started with it', ...(await measure({ DATA_DIR: dataDir }))]);
  const embedded = await joinEmbeddedPostgres({ dataDir, notice: () => {} });
  const { url, ownerUrl } = embedded.urls;
  const addresses = { DATABASE_URL: url, MIGRATION_DATABASE_URL: ownerUrl };
  rows.push(['running database', ...(await measure({ DATA_DIR: dataDir, ...addresses }))]);
  await embedded.leave();
} finally {
  await rm(dataDir, { recursive: true, force: true });
}
const head = ['start', 'median ms', 'max ms', 'idle RSS MB', ''];
process.stdout.write(
  `Node ${process.versions.node}, ${availableParallelism()} cores, ${STARTS} starts each, ` +
    `required: under ${MAX_START_MS} ms and ${MAX_RSS_MB} MB\n\n${table([head, ...rows])}\n`,
);

async function measure(environment) {
  const service = await startService(environment); // Creates the database and its administrator.
  await sleep(IDLE_MS);
  const rssMb = await residentMb(service.pid);
  await service.stop();
  const times = [];
  for (let i = 0; i < STARTS; i++) {
    const again = await startService(environment);
    times.push(again.startMs);
    await again.stop();
  }
  const worst = Math.max(...times);
  const verdict = worst < MAX_START_MS && rssMb < MAX_RSS_MB ? '' : '!';
  return [median(times).toFixed(0), worst.toFixed(0), rssMb.toFixed(0), verdict];
}

async function residentMb(pid) {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024;
}
