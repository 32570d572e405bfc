// An import of accounts beside COPY: of the same input into a table without indexes, and of all resulting rows into
// tables with the same indexes. Sign-ins run beside both, and their times are measured.

import { createReadStream, createWriteStream } from 'node:fs';
import { once } from 'node:events';
import { request } from 'node:http';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { from, to } from 'pg-copy-streams';
import { withClient } from '../harness/database.mjs';
import { pause, repeatUntilStopped, secondsOf } from '../harness/lanes.mjs';
import { buildOf, startService } from '../harness/service.mjs';
import { quantile } from '../harness/statistics.mjs';
import { table } from '../harness/table.mjs';

const ACCOUNTS = 100_000;
const QUICK_ACCOUNTS = 1_000;
const CALM_SIGN_INS = 100;
const QUICK_CALM_SIGN_INS = 5;
const SIGN_IN_EVERY_MS = 50;
const LOOK_EVERY_MS = 100;
const BATCH = 1000;
/**
 * A user who signs in repeatedly. The oldest sessions end when there are too many, so the import must use
 * another user.
 */
const PERSON = { email: 'somebody@example.com', password: 'only for the benchmarks 8' };
const HASH = `$2b$10$${'.'.repeat(53)}`;
/** The tables in which an import leaves a row for each account. */
const FILLED = ['users', 'account_keys', 'events', 'audit_entries'];

/** @type {import('../harness/benchmark.mjs').Benchmark} */
export default {
  name: 'import',
  about: 'an import of 100,000 accounts beside COPY of the same rows into tables with the same indexes',
  async run({ server, quick, options, report }) {
    const accounts = Number(options.accounts ?? (quick ? QUICK_ACCOUNTS : ACCOUNTS));
    const signIns = quick ? QUICK_CALM_SIGN_INS : CALM_SIGN_INS;
    const name = `import_${Date.now()}`;
    const contenders = [{ id: 'import', label: 'import', database: await server.database(name), build: {} }];
    if (options.before !== undefined) {
      const database = await server.emptyDatabase(`${name}_before`);
      const build = await buildOf(options.before);
      contenders.unshift({ id: 'import.before', label: 'import, build before', database, build });
    }
    for (const { id, label, database, build } of contenders) {
      const service = await startService(database.environment, build);
      try {
        const measured = await measure({ database, service, accounts, signIns });
        tell(report, { id, label, accounts, ...measured });
      } finally {
        await service.stop();
      }
    }
  },
};

async function measure({ database, service, accounts, signIns }) {
  const token = await service.signInAdmin();
  await service.client.expect(201, 'POST', '/api/users', {
    body: JSON.stringify({ ...PERSON, name: 'Somebody' }),
  });
  const signIn = async () =>
    (await service.client.expect(200, 'POST', '/api/auth/login', { body: JSON.stringify(PERSON) })).ms;
  const besideSignIns = async (work) => {
    const signing = repeatUntilStopped(signIn, SIGN_IN_EVERY_MS);
    const result = await work();
    return { result, latencies: await signing.stop() };
  };
  const calm = [];
  while (calm.length < signIns) calm.push(await signIn());
  const bare = await besideSignIns(() => copyIntoBareTable(database.url, accounts));
  let staged = 0;
  const imported = await besideSignIns(() =>
    secondsOf(async () => {
      let job = { id: '' };
      staged = await secondsOf(async () => (job = await upload(service, token, accounts)));
      await ended(service, token, job.id, accounts);
    }),
  );
  const same = await besideSignIns(() => copyIntoSameTables(database.url, accounts));
  return {
    seconds: { bare: bare.result, same: same.result, staged, imported: imported.result },
    latencies: { alone: calm, 'beside COPY': same.latencies, 'beside the import': imported.latencies },
  };
}

function tell(report, { id, label, accounts, seconds, latencies }) {
  const { bare, same, staged, imported } = seconds;
  const alone = (value) => ({ value, low: value, high: value });
  const row = (part, name, value) =>
    report.row({ id: `${id}.${part}`, name: `${label} ÷ ${name}`, unit: '×', measure: alone(value) });
  row('share', 'COPY of all its rows into tables with the same indexes', same / imported);
  row('bare', 'COPY into a table without indexes', bare / imported);
  const cells = Object.entries({
    'COPY into a bare table': bare,
    'COPY of all rows into tables with the same indexes': same,
    'until 202': staged,
    'until all are accounts': imported,
  }).map(([name, value]) => [name, value.toFixed(1), (accounts / value).toFixed(0)]);
  const lines = Object.entries(latencies).map(([name, times]) => [
    name,
    times.length,
    quantile(times, 0.5).toFixed(0),
    quantile(times, 0.99).toFixed(0),
  ]);
  report.text(
    `${table([[`${accounts} accounts, ${label}`, 'seconds', 'rows/s'], ...cells])}\n\n${table([['POST /api/auth/login', 'times', 'p50 ms', 'p99 ms'], ...lines])}`,
  );
}

function* batches(accounts, line) {
  for (let n = 0; n < accounts; n += BATCH) {
    const rows = Math.min(BATCH, accounts - n);
    yield Array.from({ length: rows }, (_, place) => line(n + place)).join('');
  }
}

function copyIntoBareTable(url, accounts) {
  return withClient(url, async (client) => {
    await client.query(`
      CREATE TABLE bare (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), email text NOT NULL UNIQUE, name text NOT NULL,
        password_hash text, created_at timestamptz NOT NULL DEFAULT now())`);
    const lines = batches(accounts, (n) => `person.${n}@import.example\tPerson ${n}\t${HASH}\n`);
    const copy = 'COPY bare (email, name, password_hash) FROM STDIN';
    const seconds = await secondsOf(() => pipeline(Readable.from(lines), client.query(from(copy))));
    await client.query('DROP TABLE bare');
    return seconds;
  });
}

/**
 * Copies the rows that the import wrote into empty tables of the same shape, with all indexes but without triggers.
 * @returns the seconds of all copies together, without reading the rows
 */
async function copyIntoSameTables(url, accounts) {
  const folder = await mkdtemp(join(tmpdir(), 'gatehouse-bench-import-'));
  try {
    return await withClient(url, async (client) => {
      let seconds = 0;
      for (const name of FILLED) {
        const columns = await storedColumns(client, name);
        const { rows } = await client.query(`SELECT count(*)::integer AS found FROM ${name}`);
        if (rows[0].found < accounts)
          throw new Error(`the import left only ${rows[0].found} rows in ${name}`);
        const file = join(folder, name);
        // A partitioned table cannot be the source of COPY, but a query can.
        const out = to(`COPY (SELECT ${columns} FROM ${name}) TO STDOUT (FORMAT binary)`);
        await pipeline(client.query(out), createWriteStream(file));
        await client.query(`CREATE TABLE copied_${name} (LIKE ${name} INCLUDING ALL)`);
        const copy = `COPY copied_${name} (${columns}) FROM STDIN (FORMAT binary)`;
        seconds += await secondsOf(() => pipeline(createReadStream(file), client.query(from(copy))));
        await client.query(`DROP TABLE copied_${name}`);
      }
      return seconds;
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Returns the names of the columns that PostgreSQL does not compute. */
async function storedColumns(client, name) {
  const { rows } = await client.query(
    `SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) AS names FROM pg_attribute
     WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''`,
    [name],
  );
  return rows[0].names;
}

async function upload(service, token, accounts) {
  const outgoing = request(new URL('/api/users/import', service.url), {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/x-ndjson' },
  });
  const answered = once(outgoing, 'response');
  const line = (n) =>
    `{"email":"person.${n}@import.example","name":"Person ${n}","password_hash":"${HASH}"}\n`;
  await pipeline(Readable.from(batches(accounts, line)), outgoing);
  const [answer] = await answered;
  let text = '';
  for await (const chunk of answer) text += chunk;
  if (answer.statusCode !== 202) throw new Error(`the import answered ${answer.statusCode}: ${text}`);
  return JSON.parse(text);
}

async function ended(service, token, id, accounts) {
  for (;;) {
    const { body } = await service.send('GET', `/api/jobs/${id}`, { token });
    const job = JSON.parse(body);
    if (job.finished_at !== null) {
      if (job.done !== accounts) throw new Error(`not all were imported: ${body}`);
      return;
    }
    await pause(LOOK_EVERY_MS);
  }
}
