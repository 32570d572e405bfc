// Exports of a million accounts in each format beside PostgreSQL's own client for the same columns on the same server,
// the growth of the process, and the latency of other requests meanwhile.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Worker } from 'node:worker_threads';
import { to } from 'pg-copy-streams';
import { sql, withClient } from '../harness/database.mjs';
import { pause, repeatUntilStopped, secondsOf } from '../harness/lanes.mjs';
import { startService } from '../harness/service.mjs';
import { median, quantile, ratio } from '../harness/statistics.mjs';
import { table } from '../harness/table.mjs';

const ACCOUNTS = 1_000_000;
const QUICK_ACCOUNTS = 20_000;
const FORMATS = ['ndjson', 'csv', 'sse'];
/** Rare enough to take nothing from the exports. */
const ASK_EVERY_MS = 50;
/**
 * The calm time of each round: about as long as its exports, so that both meet the same other load of the
 * machine.
 */
const CALM_MS = 8_000;
const QUICK_CALM_MS = 500;
const MEGABYTE = 1024 * 1024;

const COPY = `COPY (SELECT id, email, name, locale, status, roles, email_verified, version, last_login_at, created_at, updated_at
  FROM users WHERE status <> 'deleted') TO STDOUT`;

/** @type {import('../harness/benchmark.mjs').Benchmark} */
export default {
  name: 'export',
  about: 'exports of a million accounts beside COPY by psql, and other requests meanwhile',
  async run({ server, quick, rounds, options, report }) {
    const accounts = Number(options.accounts ?? (quick ? QUICK_ACCOUNTS : ACCOUNTS));
    const database = await server.sampleDatabase(accounts);
    const reader = new Worker(new URL('../harness/export-reader.mjs', import.meta.url));
    const service = await startService(database.environment);
    try {
      await measure({ database, service, reader, rounds, calmMs: quick ? QUICK_CALM_MS : CALM_MS, report });
    } finally {
      await service.stop();
      await reader.terminate();
    }
  },
};

async function measure({ database, service, reader, rounds, calmMs, report }) {
  const token = await service.signInAdmin();
  const hasPsql = spawnSync('psql', ['--version']).status === 0;
  const copy = hasPsql ? copyByPsql : copyByNode;
  const [{ rows }] = await sql(
    database.url,
    `SELECT count(*)::integer AS rows FROM users WHERE status <> 'deleted'`,
  );
  const residentMb = async () => (await service.process.usage()).rssBytes / MEGABYTE;
  const askMeanwhile = () =>
    repeatUntilStopped(
      async () => (await service.client.expect(200, 'GET', '/api/users/me', { token })).ms,
      ASK_EVERY_MS,
    );
  const listen = async () => {
    const asking = askMeanwhile();
    await pause(calmMs);
    return asking.stop();
  };
  await listen();
  const before = await residentMb();
  const rates = Object.fromEntries(['copy', ...FORMATS].map((name) => [name, []]));
  const [calm, busy] = [[], []];
  let most = before;
  for (let round = 0; round < rounds; round++) {
    calm.push(...(await listen()));
    rates.copy.push(rows / (await secondsOf(() => copy(database.url))));
    for (const format of FORMATS) {
      const asking = askMeanwhile();
      const watching = repeatUntilStopped(async () => (most = Math.max(most, await residentMb())), 50);
      let sent = 0;
      const seconds = await secondsOf(async () => (sent = await exportAll(reader, service, token, format)));
      rates[format].push(sent / seconds);
      await watching.stop();
      busy.push(...(await asking.stop()));
    }
  }
  for (const format of FORMATS) {
    const name = `rows a second of the ${format} export ÷ COPY`;
    report.row({ id: `export.${format}`, name, unit: '×', measure: ratio(rates[format], rates.copy) });
  }
  const alone = (value) => ({ value, low: value, high: value });
  const grown = alone(most - before);
  report.row({ id: 'export.growth', name: 'growth of memory by the exports', unit: 'MB', measure: grown });
  const [calmP99, busyP99] = [calm, busy].map((times) => quantile(times, 0.99));
  const slower = alone(busyP99 / calmP99);
  report.row({
    id: 'export.slowdown',
    name: 'p99 of me during an export ÷ without',
    unit: '×',
    measure: slower,
  });
  const label = { copy: `COPY by ${hasPsql ? 'psql' : 'pg-copy-streams'}` };
  const cells = Object.entries(rates).map(([name, all]) => [label[name] ?? name, median(all).toFixed(0)]);
  report.text(
    `${table([[`${rows} users`, 'rows/s'], ...cells])}\n\n` +
      `GET /api/users/me, p99: ${calmP99.toFixed(1)} ms alone, ${busyP99.toFixed(1)} ms meanwhile`,
  );
}

function copyByPsql(url) {
  return new Promise((resolve, reject) => {
    const child = spawn('psql', [url, '-q', '-c', COPY], { stdio: ['ignore', 'ignore', 'inherit'] });
    child
      .once('error', reject)
      .once('exit', (code) => (code === 0 ? resolve() : reject(new Error(`psql: ${code}`))));
  });
}

function copyByNode(url) {
  const sink = new Writable({ write: (_chunk, _encoding, done) => done() });
  return withClient(url, (client) => pipeline(client.query(to(COPY)), sink));
}

/** Returns the number of rows that the export says it has sent. */
async function exportAll(reader, service, token, format) {
  reader.postMessage({ url: service.url, path: `/api/export/users?format=${format}`, token });
  const [{ rows, error }] = await once(reader, 'message');
  if (error) throw new Error(error);
  return rows;
}
