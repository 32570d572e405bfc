// An import of accounts beside COPY: of the same input into a table without indexes, and of the resulting rows into
// tables with the same indexes and with the same events. Also measures sign-ins meanwhile.

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
import { startService } from '../harness/service.mjs';
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
/** The tables that an import fills with a row for each account. */
const FILLED = ['users', 'events'];

/** @type {import('../harness/benchmark.mjs').Benchmark} */
export default {
  name: 'import',
  about: 'an import of 100,000 accounts beside COPY into the same tables with the same indexes and events',
  async run({ server, quick, options, report }) {
    const accounts = Number(options.accounts ?? (quick ? QUICK_ACCOUNTS : ACCOUNTS));
    const database = await server.database(`import_${Date.now()}`);
    const service = await startService(database.environment);
    try {
      await measure({
        database,
        service,
        accounts,
        signIns: quick ? QUICK_CALM_SIGN_INS : CALM_SIGN_INS,
        report,
      });
    } finally {
      await service.stop();
    }
  },
};

async function measure({ database, service, accounts, signIns, report }) {
  const token = await service.signInAdmin();
  await service.client.expect(201, 'POST', '/api/users', {
    body: JSON.stringify({ ...PERSON, name: 'Somebody' }),
  });
  const signIn = async () =>
    (await service.client.expect(200, 'POST', '/api/auth/login', { body: JSON.stringify(PERSON) })).ms;
  const calm = [];
  while (calm.length < signIns) calm.push(await signIn());
  const bare = await copyIntoBareTable(database.url, accounts);
  const signing = repeatUntilStopped(signIn, SIGN_IN_EVERY_MS);
  let staged = 0;
  const imported = await secondsOf(async () => {
    let job = { id: '' };
    staged = await secondsOf(async () => (job = await upload(service, token, accounts)));
    await ended(service, token, job.id, accounts);
  });
  const busy = await signing.stop();
  const same = await copyIntoSameTables(database.url, accounts);
  const alone = (value) => ({ value, low: value, high: value });
  const row = (id, name, value) => report.row({ id, name, unit: '×', measure: alone(value) });
  row('import.share', 'import ÷ COPY into the same tables with indexes and events', same / imported);
  row('import.bare', 'import ÷ COPY into a table without indexes', bare / imported);
  const cells = Object.entries({
    'COPY into a bare table': bare,
    'COPY into the same tables': same,
    'until 202': staged,
    'until all are accounts': imported,
  }).map(([name, seconds]) => [name, seconds.toFixed(1), (accounts / seconds).toFixed(0)]);
  const latency = (name, times) =>
    `POST /api/auth/login ${name}: p50 ${quantile(times, 0.5).toFixed(0)} ms, p99 ${quantile(times, 0.99).toFixed(0)} ms`;
  report.text(
    `${table([[`${accounts} accounts`, 'seconds', 'rows/s'], ...cells])}\n\n${latency('alone', calm)}\n${latency('meanwhile', busy)}`,
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

/** Copies the rows that the import wrote into empty tables of the same shape, with all indexes. */
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
