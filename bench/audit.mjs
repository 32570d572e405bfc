// `npm run bench:audit`: pages and filters of the audit log, with 10,000 and with 10,000,000 entries, each
// over 24 months.
//
// Both databases are on one embedded PostgreSQL, and each has its own service process, as in `bench:lists`.
// Every repetition requests the first page of the small log, then the row's page of the small and of the big
// log.

import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { encodeCursor } from '../dist/src/common/pagination/cursor.js';
import { joinEmbeddedPostgres } from '../dist/src/platform/embedded-postgres/embedded-postgres.js';
import { migrate } from '../dist/src/platform/database/startup/migrate.js';
import { median, quantile, signIn, startService, table } from './service.mjs';

const { values: options } = parseArgs({
  options: {
    entries: { type: 'string', default: '10000000' },
    repetitions: { type: 'string', default: '40' },
    pages: { type: 'string', default: '10000' },
    // Kept after the run, and reused without being filled again.
    'data-dir': { type: 'string' },
  },
});
const SMALL = 10_000;
const BIG = Number(options.entries);
const REPETITIONS = Number(options.repetitions);
const DEEP_ENTRIES = Number(options.pages) * 20;
const MONTHS = 24;
const WARM_UP = 100;
const BOUND = 2;

const who = (n) => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;
const [FREQUENT, RARE, NOBODY, MANY] = [who(1), who(2), who(3), who(50_000)];

const NAMES = new Map([
  [FREQUENT, 'one of 20'],
  [MANY, 'one of many'],
  [RARE, 'a rare one'],
  [NOBODY, 'nobody'],
]);

const CONDITIONS = {
  actor_id: 'actor_id = $',
  target_id: 'target_id = $',
  action: 'action = $',
  outcome: 'outcome = $',
  from: 'occurred_at >= $',
  to: 'occurred_at < $',
};

/**
 * Inserts a month of entries, evenly over its time. The encrypted bytes are as long as those of a name change
 * from a browser. One user does 5 % of everything, another does little, and one never appears. Nothing here
 * can be decrypted, so the time of a page is the time to find its entries.
 */
const FILL = `
  INSERT INTO audit_entries
    (id, occurred_at, actor_type, actor_id, session_id, action, target_type, target_id, outcome, request_id, trace_id,
     origin_sealed, changes_sealed)
  SELECT gen_random_uuid(), $1::timestamptz + n * (($2::timestamptz - $1::timestamptz) / ($3 + 1)), 'user', actor,
         gen_random_uuid(),
         CASE WHEN chance < 0.00002 THEN 'role.update' WHEN chance < 0.4 THEN 'auth.refresh' WHEN chance < 0.7 THEN 'auth.login'
              WHEN chance < 0.9 THEN 'user.update' ELSE 'resource.transfer' END,
         'user', target::text,
         CASE WHEN other < 0.002 THEN 'failure' WHEN other < 0.03 THEN 'denied' ELSE 'success' END,
         gen_random_uuid()::text, md5(n::text), bytes || bytes || bytes, CASE WHEN chance > 0.7 THEN bytes || bytes END
  FROM (
    SELECT n, random() AS chance, random() AS other, sha256(n::text::bytea) AS bytes, pg_temp.some_user(random()) AS actor,
           pg_temp.some_user(random()) AS target
    FROM generate_series(1, $3::integer) AS n
  ) AS drawn`;
const SOME_USER = `
  CREATE FUNCTION pg_temp.some_user(chance double precision) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
    SELECT ('00000000-0000-4000-8000-' || lpad(CASE
      WHEN chance < 0.05 THEN '1' WHEN chance < 0.050002 THEN '2'
      ELSE (1000 + chance * 100000)::bigint::text END, 12, '0'))::uuid $$`;

const dataDir = options['data-dir'] ?? (await mkdtemp(join(tmpdir(), 'gatehouse-bench-')));
const embedded = await joinEmbeddedPostgres({ dataDir, notice: say });
const services = [];
try {
  const [small, big] = [await fill('audit_small', SMALL), await fill('audit_big', BIG)];
  await describeSetup(big.url);
  for (const { addresses } of [small, big]) services.push(await serve(addresses));
  const rows = queries();
  for (const row of rows) {
    const found = await count(big.url, row.filter);
    row.found = found === 1_000_000 ? 'a million or more' : found;
  }
  const deep = [];
  for (const filter of [{}, { actor_id: FREQUENT }, { action: 'auth.login' }, { outcome: 'denied' }]) {
    deep.push(await deepPage(big.url, filter));
  }
  await warmUp([...rows, ...deep]);
  const measured = [];
  for (const row of [...rows, ...deep]) measured.push(await measure(row));
  print(measured);
} finally {
  for (const { process } of services) await process.stop();
  await embedded.leave();
  if (options['data-dir'] === undefined) await rm(dataDir, { recursive: true, force: true });
}

async function fill(name, entries) {
  const { superuserUrl, url: serviceUrl } = embedded.urls;
  const known = await sql(superuserUrl, 'SELECT 1 FROM pg_database WHERE datname = $1', [name]);
  if (known.length === 0) await sql(superuserUrl, `CREATE DATABASE ${name}`);
  const [url, DATABASE_URL] = [superuserUrl, serviceUrl].map((address) => new URL(`/${name}`, address).href);
  const addresses = { DATABASE_URL, MIGRATION_DATABASE_URL: url };
  await migrate(addresses);
  const [{ filled }] = await sql(url, 'SELECT EXISTS (SELECT FROM audit_seals) AS filled');
  if (!filled) {
    const started = performance.now();
    await fillMonths(url, entries);
    say(`${entries} entries in ${((performance.now() - started) / 1000).toFixed(1)} s`);
  }
  return { url, addresses };
}

async function fillMonths(connectionString, entries) {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    await client.query('SET synchronous_commit = off');
    await client.query(SOME_USER);
    const each = Math.round(entries / MONTHS);
    for (let ago = MONTHS; ago > 0; ago--) {
      const { rows } = await client.query(
        `SELECT to_char(month, 'YYYY-MM-DD') AS first, to_char(month + interval '1 month', 'YYYY-MM-DD') AS next
         FROM date_trunc('month', clock_timestamp() AT TIME ZONE 'UTC' - make_interval(months => $1)) AS month`,
        [ago],
      );
      const [{ first, next }] = rows;
      await client.query('SELECT make_audit_partition($1)', [first]);
      await client.query(FILL, [`${first}Z`, `${next}Z`, each]);
    }
    await client.query('VACUUM (ANALYZE) audit_entries');
    // Marks all entries as sealed, so that the sealer is idle while pages are measured.
    await client.query(
      `INSERT INTO audit_seals SELECT 1, epoch, xid, seq, 0, '', '', clock_timestamp(), '', '', '', ''
       FROM audit_entries ORDER BY epoch DESC, xid DESC, seq DESC LIMIT 1`,
    );
    await client.query('CHECKPOINT');
  } finally {
    await client.end();
  }
}

async function serve(addresses) {
  const process = await startService({ ...addresses, DATA_DIR: dataDir });
  return { process, token: await signIn(process) };
}

/** Returns each filter alone, by the number of rows it finds, and the pairs that people use. */
function queries() {
  const [old, younger] = [17, 16].map((ago) => monthsAgo(ago));
  const month = { from: old, to: younger };
  const actors = [FREQUENT, MANY, RARE, NOBODY].map((actor_id) => ({ actor_id }));
  const targets = [FREQUENT, MANY, RARE, NOBODY].map((target_id) => ({ target_id }));
  const actions = ['auth.refresh', 'resource.transfer', 'role.update', 'key.rotate'].map((action) => ({
    action,
  }));
  const outcomes = ['success', 'denied', 'failure'].map((outcome) => ({ outcome }));
  const pairs = [
    [actors[0], actions[0]],
    [actors[0], actions[2]],
    [actors[0], actions[3]],
    [actors[2], actions[0]],
    [actors[0], outcomes[1]],
    [actors[1], outcomes[1]],
    [actors[0], targets[0]],
    [actors[0], targets[2]],
    [targets[0], actions[2]],
    [targets[0], outcomes[2]],
    [actions[0], outcomes[1]],
    [actions[2], outcomes[0]],
    [actions[2], outcomes[1]],
    [actors[0], month],
    [actors[3], month],
    [targets[0], month],
    [actions[0], month],
    [actions[3], month],
    [outcomes[1], month],
  ].map((pair) => Object.assign({}, ...pair));
  const filters = [
    {},
    ...actors,
    ...targets,
    ...actions,
    ...outcomes,
    month,
    { from: younger },
    { to: old },
    ...pairs,
  ];
  return filters.map((filter) => ({ filter, label: labelOf(filter), query: new URLSearchParams(filter) }));
}

function monthsAgo(ago) {
  const now = new Date();
  return new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - ago, 1)).toISOString();
}

function labelOf(filter) {
  const said = Object.entries(filter).map(
    ([name, value]) => `${name}=${NAMES.get(value) ?? value.slice(0, 16)}`,
  );
  return said.length === 0 ? 'no filter' : said.join(' ');
}

function where(filter) {
  const conditions = Object.keys(filter).map((name, index) => `${CONDITIONS[name]}${index + 1}`);
  return { text: ['true', ...conditions].join(' AND '), values: Object.values(filter) };
}

async function count(url, filter, limit = 1_000_000) {
  const { text, values } = where(filter);
  const [{ found }] = await sql(
    url,
    `SELECT count(*)::integer AS found FROM (SELECT FROM audit_entries WHERE ${text} LIMIT ${limit}) AS found_ones`,
    values,
  );
  return found;
}

/**
 * Returns the query with the cursor that a client would have after that many pages, or before the last page
 * if there are fewer.
 */
async function deepPage(url, filter) {
  const { text, values } = where(filter);
  const found = Number(await count(url, filter, DEEP_ENTRIES + 20));
  const passed = Math.max(1, found - 20);
  const [last] = await sql(
    url,
    `SELECT id, occurred_at FROM audit_entries WHERE ${text} ORDER BY occurred_at DESC, id DESC OFFSET ${passed - 1} LIMIT 1`,
    values,
  );
  const cursor = encodeCursor(
    { key: last.occurred_at.toISOString(), id: last.id },
    { list: 'audit', ...filter },
  );
  return {
    label: `${labelOf(filter)}, after ${Math.floor(passed / 20)} pages by cursor`,
    found: '',
    query: new URLSearchParams({ ...filter, cursor }),
    smallQuery: new URLSearchParams(filter),
  };
}

async function list({ process, token }, query) {
  const answer = await process.send('GET', `/api/audit?${query}`, { token });
  if (answer.status !== 200) throw new Error(`${query} answered ${answer.status}: ${answer.body}`);
  return answer;
}

async function warmUp(rows) {
  for (const [index, service] of services.entries()) {
    for (let i = 0; i < WARM_UP; i++) await list(service, '');
    for (const { query, smallQuery = query } of rows) await list(service, index === 0 ? smallQuery : query);
  }
}

async function measure({ label, found, query, smallQuery = query }) {
  const [small, big] = services;
  const times = { base: [], small: [], big: [] };
  await list(big, query);
  for (let i = 0; i < REPETITIONS; i++) {
    times.base.push((await list(small, '')).ms);
    times.small.push((await list(small, smallQuery)).ms);
    times.big.push((await list(big, query)).ms);
  }
  const ratio = median(times.big) / median(times.base);
  process.stderr.write(ratio > BOUND ? '!' : '.');
  return { label, found, ...times, ratio };
}

function print(measured) {
  const cells = measured.map(({ label, found, base, small, big, ratio }) => [
    label,
    found,
    ...[median(base), median(small), median(big), quantile(big, 0.95)].map((value) => value.toFixed(2)),
    `${ratio.toFixed(2)}${ratio > BOUND ? ' !' : '  '}`,
  ]);
  const head = ['page', 'found', 'first page, small', 'small', 'big', 'big p95', 'ratio'];
  process.stdout.write(`\n\n${table([head, ...cells])}\n`);
  const over = measured.filter(({ ratio }) => ratio > BOUND);
  process.stdout.write(
    `\n${measured.length} rows, ${over.length} over ${BOUND.toFixed(1)}; milliseconds, medians of ${REPETITIONS}\n`,
  );
}

async function describeSetup(url) {
  const [{ version, settings }] = await sql(
    url,
    `SELECT current_setting('server_version') AS version, string_agg(name || '=' || setting, ', ' ORDER BY name) AS settings
     FROM pg_settings WHERE name IN ('shared_buffers', 'work_mem', 'fsync', 'synchronous_commit', 'jit', 'random_page_cost')`,
  );
  const [{ months, trail, indexes }] = await sql(
    url,
    `SELECT count(*)::integer AS months, pg_size_pretty(sum(pg_table_size(inhrelid))) AS trail,
            pg_size_pretty(sum(pg_indexes_size(inhrelid))) AS indexes
     FROM pg_inherits WHERE inhparent = 'audit_entries'::regclass`,
  );
  process.stdout.write(
    `PostgreSQL ${version} (${settings}), Node ${process.versions.node}, ${availableParallelism()} cores\n` +
      `${SMALL} and ${BIG} entries over ${months} partitions; ${trail}, and indexes of ${indexes}\n`,
  );
}

async function sql(connectionString, text, values) {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    return (await client.query(text, values)).rows;
  } finally {
    await client.end();
  }
}

function say(message) {
  process.stderr.write(`${message}\n`);
}
