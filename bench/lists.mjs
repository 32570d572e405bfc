// `npm run bench:lists`: pages, filters and searches of the list of users, with 1,000 and with 1,000,000
// users.
//
// Both databases are on one embedded PostgreSQL, and each has its own service process. Every repetition
// requests the first page of the small table, then the row's page of the small and of the big table. Other
// load therefore affects all three alike. A row passes when the big table takes at most twice the time of the
// small table's first page.

import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { joinEmbeddedPostgres } from '../dist/src/platform/embedded-postgres/embedded-postgres.js';
import { migrate } from '../dist/src/platform/database/startup/migrate.js';
import { seed } from '../scripts/seed.mjs';
import { median, quantile, signIn, startService, table } from './service.mjs';

const { values: options } = parseArgs({
  options: {
    accounts: { type: 'string', default: '1000000' },
    repetitions: { type: 'string', default: '40' },
    pages: { type: 'string', default: '10000' },
    // Kept after the run, and reused without being filled again.
    'data-dir': { type: 'string' },
  },
});
const SMALL = 1_000;
const BIG = Number(options.accounts);
const REPETITIONS = Number(options.repetitions);
const DEEP_PAGES = Number(options.pages);
const WARM_UP = 100;
const BOUND = 2;
const SORTS = ['created_at', '-created_at', 'email', '-email', 'name', '-name'];

const dataDir = options['data-dir'] ?? (await mkdtemp(join(tmpdir(), 'gatehouse-bench-')));
const embedded = await joinEmbeddedPostgres({ dataDir, notice: say });
const services = [];
try {
  const [small, big] = [await fill('bench_small', SMALL), await fill('bench_big', BIG)];
  await describeSetup(big.url);
  for (const { addresses } of [small, big]) services.push(await serve(addresses));
  const rows = await queriesFor(big.url);
  await warmUp(rows);
  const measured = [];
  for (const row of rows) measured.push(await measure(row));
  for (const sort of ['created_at', 'email', 'name']) measured.push(await measure(await deepPage(sort)));
  print(measured);
} finally {
  for (const { process } of services) await process.stop();
  await embedded.leave();
  if (options['data-dir'] === undefined) await rm(dataDir, { recursive: true, force: true });
}

async function fill(name, users) {
  const { superuserUrl, url: serviceUrl } = embedded.urls;
  const known = await sql(superuserUrl, 'SELECT 1 FROM pg_database WHERE datname = $1', [name]);
  if (known.length === 0) await sql(superuserUrl, `CREATE DATABASE ${name}`);
  const [url, DATABASE_URL] = [superuserUrl, serviceUrl].map((address) => new URL(`/${name}`, address).href);
  const addresses = { DATABASE_URL, MIGRATION_DATABASE_URL: url };
  await migrate(addresses);
  const [{ filled }] = await sql(url, 'SELECT EXISTS (SELECT FROM users) AS filled');
  if (!filled) {
    const started = performance.now();
    await seed(url, users);
    say(`${users} users in ${((performance.now() - started) / 1000).toFixed(1)} s`);
  }
  return { url, addresses };
}

async function serve(addresses) {
  const process = await startService({ ...addresses, DATA_DIR: dataDir });
  return { process, token: await signIn(process) };
}

async function list({ process, token }, query) {
  const answer = await process.send('GET', `/api/users?${query}`, { token });
  if (answer.status !== 200) throw new Error(`${query} answered ${answer.status}: ${answer.body}`);
  return answer;
}

/**
 * Returns queries with terms by the number of users they find. Names are chosen by counting, because the
 * sample is random.
 */
async function queriesFor(url) {
  const names = await sql(
    url,
    `SELECT split_part(name_key, ' ', 2) AS name, count(*)::integer AS found FROM users
     GROUP BY 1 HAVING min(length(split_part(name_key, ' ', 2))) >= 4`,
  );
  const nearest = (wanted) =>
    names.reduce((best, one) => (distance(one, wanted) < distance(best, wanted) ? one : best)).name;
  const [few, some, middling, many] = [5 / BIG, 0.0005, 0.005, 0.02].map((share) => nearest(share * BIG));
  const terms = [
    few,
    some,
    middling,
    many,
    'example.org',
    'example',
    'rossi smith',
    'nobody-is-called-so',
    'zuzana',
  ];
  const short = ['a', 'ng', 'qx', '€', '9', '77', '--', 'ț'];
  const statuses = ['active', 'disabled', 'deleted'].map((status) => ({ status }));
  const roles = ['user', 'premium', 'auditor', 'admin'].map((role) => ({ role }));
  const combined = [
    { status: 'disabled', search: middling },
    { status: 'disabled', search: few },
    { status: 'deleted', search: 'example' },
    { status: 'active', search: middling },
    { role: 'premium', search: middling },
    { role: 'premium', search: few },
    { role: 'user', search: middling },
    { role: 'auditor', search: 'example' },
    { status: 'disabled', role: 'premium' },
    { status: 'active', role: 'auditor' },
    { status: 'deleted', role: 'auditor' },
    { status: 'disabled', role: 'premium', search: middling },
  ];
  const searches = [...terms, ...short].map((search) => ({ search }));
  const filters = [{}, ...searches, ...statuses, ...roles, ...combined];
  const sorted = filters.flatMap((filter) => SORTS.map((sort) => ({ ...filter, sort })));
  const estimates = [{}, { search: middling }, { search: 'example' }, { search: 'qx' }, { role: 'premium' }];
  const rows = [...sorted, ...estimates.map((filter) => ({ ...filter, total: 'estimate' }))];
  const counts = new Map();
  for (const row of rows) row.found = await countOnce(counts, url, row);
  return rows.map(({ found, ...query }) => ({
    label: labelOf(query),
    found,
    query: new URLSearchParams(query),
  }));
}

function distance({ found }, wanted) {
  return Math.abs(Math.log(found / wanted));
}

function labelOf(query) {
  return Object.entries(query)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ');
}

async function countOnce(counts, url, { search = '', status = null, role = null }) {
  const key = JSON.stringify([search, status, role]);
  if (!counts.has(key)) {
    const [{ found }] = await sql(
      url,
      `SELECT count(*)::integer AS found FROM users
       WHERE strpos(search_key, $1) > 0 AND ($3::text IS NULL OR roles @> ARRAY[$3])
         AND CASE WHEN $2::text IS NULL THEN status <> 'deleted' ELSE status = $2 END`,
      [search, status, role],
    );
    counts.set(key, found);
  }
  return counts.get(key);
}

/** Walks to the page as a client does, page by page. */
async function deepPage(sort) {
  const last = services[1];
  let query = new URLSearchParams({ sort, limit: '20' });
  let walked = 0;
  for (; walked < DEEP_PAGES; walked++) {
    const next = /cursor=([^&>]+)/.exec((await list(last, query)).headers.link ?? '');
    if (!next) break;
    query = new URLSearchParams({ sort, limit: '20', cursor: next[1] });
  }
  return {
    label: `the page after ${walked} pages by cursor, sort=${sort}`,
    found: '',
    query,
    smallQuery: '',
  };
}

async function warmUp(rows) {
  for (const service of services) {
    for (let i = 0; i < WARM_UP; i++) await list(service, '');
    for (const { query } of rows) await list(service, query);
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

function ms(value) {
  return value.toFixed(2);
}

function print(measured) {
  const cells = measured.map(({ label, found, base, small, big, ratio }) => [
    label,
    found,
    ms(median(base)),
    ms(median(small)),
    ms(median(big)),
    ms(quantile(big, 0.95)),
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
  const [{ version }] = await sql(url, `SELECT current_setting('server_version') AS version`);
  const settings = await sql(
    url,
    `SELECT string_agg(name || '=' || current_setting(name), ', ' ORDER BY name) AS list FROM pg_settings
     WHERE name IN ('shared_buffers', 'work_mem', 'fsync', 'synchronous_commit', 'full_page_writes', 'jit', 'random_page_cost')`,
  );
  const sizes = await sql(
    url,
    `SELECT string_agg(relname || ' ' || pg_size_pretty(pg_relation_size(oid)), ', ' ORDER BY relname) AS list
     FROM pg_class WHERE relname LIKE 'users%'`,
  );
  process.stdout.write(
    `PostgreSQL ${version} (${settings[0].list}), Node ${process.versions.node}, ${availableParallelism()} cores\n` +
      `${SMALL} and ${BIG} users; ${sizes[0].list}\n`,
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
