// Pages and filters of `GET /api/audit` with 10,000 and with 10,000,000 entries, each spread over 24 months, beside the
// first page of the small log.

import { encodeCursor } from '../../dist/src/common/pagination/cursor.js';
import { sql, withClient } from '../harness/database.mjs';
import { SizedPages } from '../harness/sized-pages.mjs';
import { secondsOf } from '../harness/lanes.mjs';

const SMALL = 10_000;
const BIG = 10_000_000;
const REPETITIONS = 40;
const DEEP_PAGES = 10_000;
const QUICK = { entries: 5_000, repetitions: 1, pages: 20 };
const QUICK_SMALL = 500;
const QUICK_ROWS = 2;
const PAGE = 20;
const MONTHS = 24;

const who = (n) => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;
const [FREQUENT, RARE, NOBODY, MANY] = [who(1), who(2), who(3), who(50_000)];

/** The IP address from which the benchmark signs in. The sign-in stores its lookup digest. */
const IP = '127.0.0.1';
/** The number of users who used that address in each month. */
const USERS_OF_IP = 1000;
const EMAIL = 'frequent@bench.example';

const NAMES = new Map([
  [FREQUENT, 'one of 20'],
  [MANY, 'one of many'],
  [RARE, 'a rare one'],
  [NOBODY, 'nobody'],
]);

const CONDITIONS = {
  actor_id: (value) => `actor_id = ${value}`,
  target_id: (value) => `target_id = ${value}`,
  email: (value) => `(SELECT id::text FROM users WHERE email = ${value}) IN (actor_id::text, target_id)`,
  ip: (value) => `${value}::inet = '${IP}' AND ip_digest IN (SELECT digest FROM audit_ip_users)`,
  action: (value) => `action = ANY (string_to_array(${value}, ','))`,
  outcome: (value) => `outcome = ${value}`,
  from: (value) => `occurred_at >= ${value}`,
  to: (value) => `occurred_at < ${value}`,
};

/**
 * Inserts a month of entries, evenly over its time. The encrypted bytes are as long as those of a name change
 * from a browser. One user does 5 % of everything, another does little, and one never appears. Nothing here
 * can be decrypted, so the time of a page is the time to find its entries.
 */
const FILL = `
  INSERT INTO audit_entries
    (id, occurred_at, actor_type, actor_id, session_id, action, target_type, target_id, outcome, request_id, trace_id,
     origin_sealed, changes_sealed, ip_digest)
  SELECT gen_random_uuid(), $1::timestamptz + n * (($2::timestamptz - $1::timestamptz) / ($3 + 1)), 'user', actor,
         gen_random_uuid(),
         CASE WHEN chance < 0.00002 THEN 'role.update' WHEN chance < 0.4 THEN 'auth.refresh' WHEN chance < 0.7 THEN 'auth.login'
              WHEN chance < 0.9 THEN 'user.update' ELSE 'resource.transfer' END,
         'user', target::text,
         CASE WHEN other < 0.002 THEN 'failure' WHEN other < 0.03 THEN 'denied' ELSE 'success' END,
         gen_random_uuid()::text, md5(n::text), bytes || bytes || bytes, CASE WHEN chance > 0.7 THEN bytes || bytes END,
         pg_temp.digest(actor)
  FROM (
    SELECT n, random() AS chance, random() AS other, sha256(n::text::bytea) AS bytes, pg_temp.account(random()) AS actor,
           pg_temp.account(random()) AS target
    FROM generate_series(1, $3::integer) AS n
  ) AS drawn`;
const ACCOUNT = `
  CREATE FUNCTION pg_temp.account(chance double precision) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
    SELECT ('00000000-0000-4000-8000-' || lpad(CASE
      WHEN chance < 0.05 THEN '1' WHEN chance < 0.050002 THEN '2'
      ELSE (1000 + chance * 100000)::bigint::text END, 12, '0'))::uuid $$`;

/** Stands for the digest of the only address of a user. */
const DIGEST = `
  CREATE FUNCTION pg_temp.digest(actor uuid) RETURNS bytea LANGUAGE sql IMMUTABLE AS $$
    SELECT substr(sha256(uuid_send(actor)), 1, 16) $$`;
/** Stores that the frequent user and others used the benchmark's address in every month. */
const SHARE_IP = `
  INSERT INTO audit_ip_users (ip, month, user_id, digest)
  SELECT known.ip, month::date, actor, pg_temp.digest(actor)
  FROM (SELECT ip FROM audit_ip_users LIMIT 1) AS known,
       generate_series($1::timestamptz, clock_timestamp(), '1 month') AS month,
       (SELECT $2::uuid AS actor UNION ALL
        SELECT ('00000000-0000-4000-8000-' || lpad((1000 + n * 80)::text, 12, '0'))::uuid
        FROM generate_series(1, $3::integer - 1) AS n) AS users
  ON CONFLICT DO NOTHING`;
const ADD_USER = `
  INSERT INTO users (id, email, email_key, name, name_key, search_key, roles)
  VALUES ($1, $2, $2, 'Frequent', 'frequent', 'frequent', ARRAY['user']) ON CONFLICT DO NOTHING`;

/** @type {import('../harness/benchmark.mjs').Benchmark} */
export default {
  name: 'audit',
  about: 'pages and filters of GET /api/audit with 10,000 and with 10,000,000 entries',
  async run({ server, quick, options, report }) {
    const entries = Number(options.entries ?? (quick ? QUICK.entries : BIG));
    const repetitions = Number(options.repetitions ?? (quick ? QUICK.repetitions : REPETITIONS));
    const passed = Number(options.pages ?? (quick ? QUICK.pages : DEEP_PAGES)) * PAGE;
    const small = await fill(server, quick ? QUICK_SMALL : SMALL, report);
    const big = await fill(server, entries, report);
    report.text(await describeSetup(big.url));
    const pages = new SizedPages('/api/audit', { repetitions });
    try {
      await pages.open(small, big);
      // The sign-in of the administrator has stored the address.
      for (const { url } of [small, big]) await addPeople(url);
      const rows = quick
        ? [...queries().slice(0, QUICK_ROWS), ...queries().slice(-PEOPLE.length)]
        : queries();
      for (const row of rows) {
        const found = await count(big.url, row.filter);
        row.found = found === 1_000_000 ? 'a million or more' : found;
      }
      const filters = [{}, { actor_id: FREQUENT }, { action: 'auth.login' }, { outcome: 'denied' }];
      const deep = [];
      for (const filter of quick ? filters.slice(0, 1) : filters)
        deep.push(await deepPage(big.url, filter, passed));
      const measured = await pages.measure([...rows, ...deep], { quick });
      pages.report(measured, { report, targetId: 'audit.page' });
    } finally {
      await pages.close();
    }
  },
};

async function fill(server, entries, report) {
  const database = await server.database(`audit_${entries}`);
  const [{ filled }] = await sql(database.url, 'SELECT EXISTS (SELECT FROM audit_seals) AS filled');
  if (!filled) {
    const seconds = await secondsOf(() => fillMonths(database.url, entries));
    report.say(`${entries} entries in ${seconds.toFixed(1)} s`);
  }
  return database;
}

async function addPeople(url) {
  await withClient(url, async (client) => {
    await client.query(DIGEST);
    await client.query(ADD_USER, [FREQUENT, EMAIL]);
    await client.query(SHARE_IP, [monthsAgo(MONTHS), FREQUENT, USERS_OF_IP]);
    await client.query('VACUUM (ANALYZE) audit_ip_users');
  });
}

async function fillMonths(url, entries) {
  await withClient(url, async (client) => {
    await client.query('SET synchronous_commit = off');
    await client.query(ACCOUNT);
    await client.query(DIGEST);
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
      `INSERT INTO audit_seals SELECT 1, epoch, xid, seq, 0, '', '', clock_timestamp(), '', '', '', '', 2
       FROM audit_entries ORDER BY epoch DESC, xid DESC, seq DESC LIMIT 1`,
    );
    await client.query('CHECKPOINT');
  });
}

/** Filters by which people search: an address, several actions, and an IP address with many users. */
const PEOPLE = [
  { email: EMAIL },
  { email: EMAIL, action: 'user.update,role.update' },
  { action: 'user.update,role.update' },
  { action: 'role.update,key.rotate' },
  { ip: IP },
  { ip: IP, action: 'user.update,role.update' },
  { ip: IP, actor_id: FREQUENT },
  { ip: IP, actor_id: NOBODY },
];

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
    ...PEOPLE,
  ];
  return filters.map((filter) => ({
    filter,
    label: labelOf(filter),
    group: labelOf(filter),
    query: new URLSearchParams(filter),
  }));
}

function monthsAgo(ago) {
  const now = new Date();
  return new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - ago, 1)).toISOString();
}

function labelOf(filter) {
  const said = Object.entries(filter).map(
    ([name, value]) => `${name}=${NAMES.get(value) ?? value.slice(0, 24)}`,
  );
  return said.length === 0 ? 'no filter' : said.join(' ');
}

function where(filter) {
  const conditions = Object.keys(filter).map((name, index) => CONDITIONS[name](`$${index + 1}`));
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
async function deepPage(url, filter, entries) {
  const { text, values } = where(filter);
  const found = Number(await count(url, filter, entries + 20));
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
  const label = `${labelOf(filter)}, after ${Math.floor(passed / 20)} pages by cursor`;
  const smallQuery = new URLSearchParams(filter);
  return { label, group: label, found: '', query: new URLSearchParams({ ...filter, cursor }), smallQuery };
}

async function describeSetup(url) {
  const [{ months, trail, indexes }] = await sql(
    url,
    `SELECT count(*)::integer AS months, pg_size_pretty(sum(pg_table_size(inhrelid))) AS trail,
            pg_size_pretty(sum(pg_indexes_size(inhrelid))) AS indexes
     FROM pg_inherits WHERE inhparent = 'audit_entries'::regclass`,
  );
  return `${months} partitions; ${trail}, and indexes of ${indexes}`;
}
