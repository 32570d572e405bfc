// Pages, filters and searches of `GET /api/users` with 1,000 and with 1,000,000 accounts, beside the first page of the
// small table.

import { sql, withClient } from '../harness/database.mjs';
import { SizedPages } from '../harness/sized-pages.mjs';

const SMALL = 1_000;
const BIG = 1_000_000;
const REPETITIONS = 40;
const DEEP_PAGES = 10_000;
const QUICK = { accounts: 20_000, repetitions: 1, pages: 20 };
const QUICK_FILTERS = 3;
const SORTS = ['created_at', '-created_at', 'email', '-email', 'name', '-name'];

/** @type {import('../harness/benchmark.mjs').Benchmark} */
export default {
  name: 'lists',
  about: 'pages, filters and searches of GET /api/users with 1,000 and with 1,000,000 accounts',
  async run({ server, quick, options, report }) {
    const accounts = Number(options.accounts ?? (quick ? QUICK.accounts : BIG));
    const deepPages = Number(options.pages ?? (quick ? QUICK.pages : DEEP_PAGES));
    const repetitions = Number(options.repetitions ?? (quick ? QUICK.repetitions : REPETITIONS));
    const small = await server.sampleDatabase(SMALL);
    const big = await server.sampleDatabase(accounts);
    report.text(await describeSetup(big.url));
    const pages = new SizedPages('/api/users', { repetitions });
    try {
      await pages.open(small, big);
      const queries = await queriesFor(big.url, accounts, quick);
      const deep = [];
      for (const sort of quick ? ['created_at'] : ['created_at', 'email', 'name']) {
        deep.push(await deepPage(pages, sort, deepPages));
      }
      const measured = await pages.measure([...queries, ...deep], { quick });
      pages.report(measured, { report, targetId: 'lists.page' });
    } finally {
      await pages.close();
    }
  },
};

/**
 * Returns queries with terms by the number of accounts they find. Names are chosen by counting, because the
 * sample is random.
 */
async function queriesFor(url, big, quick) {
  const names = await sql(
    url,
    `SELECT split_part(name_key, ' ', 2) AS name, count(*)::integer AS found FROM users
     GROUP BY 1 HAVING min(length(split_part(name_key, ' ', 2))) >= 4`,
  );
  const nearest = (wanted) =>
    names.reduce((best, one) => (distance(one, wanted) < distance(best, wanted) ? one : best)).name;
  const [few, some, middling, many] = [5 / big, 0.0005, 0.005, 0.02].map((share) => nearest(share * big));
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
  if (quick) filters.splice(QUICK_FILTERS);
  const sorts = quick ? SORTS.slice(0, 1) : SORTS;
  const sorted = filters.flatMap((filter) => sorts.map((sort) => ({ ...filter, sort })));
  const estimates = [{}, { search: middling }, { search: 'example' }, { search: 'qx' }, { role: 'premium' }];
  const rows = [...sorted, ...estimates.map((filter) => ({ ...filter, total: 'estimate' }))];
  const counts = new Map();
  for (const row of rows) row.found = await countOnce(counts, url, row);
  return rows.map(({ found, ...query }) => {
    const { sort: _, ...filter } = query;
    return { label: labelOf(query), group: labelOf(filter), found, query: new URLSearchParams(query) };
  });
}

function distance({ found }, wanted) {
  return Math.abs(Math.log(found / wanted));
}

function labelOf(query) {
  const words = Object.entries(query).map(([name, value]) => `${name}=${value}`);
  return words.length === 0 ? 'no filter' : words.join(' ');
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
async function deepPage(pages, sort, count) {
  let query = new URLSearchParams({ sort, limit: '20' });
  let walked = 0;
  for (; walked < count; walked++) {
    const next = /cursor=([^&>]+)/.exec((await pages.page(query)).headers.link ?? '');
    if (!next) break;
    query = new URLSearchParams({ sort, limit: '20', cursor: decodeURIComponent(next[1]) });
  }
  const group = `the page after ${walked} pages by cursor`;
  return { label: `${group}, sort=${sort}`, group, found: '', query, smallQuery: new URLSearchParams() };
}

async function describeSetup(url) {
  return withClient(url, async (client) => {
    const { rows: settings } = await client.query(
      `SELECT string_agg(name || '=' || current_setting(name), ', ' ORDER BY name) AS list FROM pg_settings
       WHERE name IN ('shared_buffers', 'work_mem', 'fsync', 'synchronous_commit', 'full_page_writes', 'jit', 'random_page_cost')`,
    );
    const { rows: sizes } = await client.query(
      `SELECT string_agg(relname || ' ' || pg_size_pretty(pg_relation_size(oid)), ', ' ORDER BY relname) AS list
       FROM pg_class WHERE relname LIKE 'users%'`,
    );
    return `PostgreSQL ${settings[0].list}\n${sizes[0].list}`;
  });
}
