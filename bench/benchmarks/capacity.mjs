// The cost of one operation for the service and for PostgreSQL, with few and with many users. docs/operations/capacity.md
// uses it.

import pg from 'pg';
import { encodeCursor } from '../../dist/src/common/pagination/cursor.js';
import { SAMPLE_PASSWORD } from '../../scripts/sample-users.mjs';
import { Client } from '../harness/client.mjs';
import { sql, withClient } from '../harness/database.mjs';
import { pause, ratePerSecond } from '../harness/lanes.mjs';
import { postgresUsage } from '../harness/postgres-usage.mjs';
import { startService } from '../harness/service.mjs';
import { median, quantile, ratio } from '../harness/statistics.mjs';
import { format, table } from '../harness/table.mjs';

const SMALL = 10_000;
const BIG = 1_000_000;
const LANES = 4;
const MS = 2_000;
const SETTLE_MS = 5_000;
/** The users that sign in, drawn from the whole table, so that neighbours share no page. */
const CALLERS = 1_000;
/** Shorter than a caller takes to come again. */
const FORGET_EVERY_MS = 20;

/** @type {import('../harness/benchmark.mjs').Benchmark} */
export default {
  name: 'capacity',
  about: 'CPU of the service and of PostgreSQL, WAL and pages of each operation; not in a quick run',
  async run({ server, quick, rounds, options, report }) {
    if (quick) return report.text('A quick run leaves it out, because it fills two databases.');
    const big = Number(options.accounts ?? BIG);
    const sizes = [SMALL, big];
    const load = { lanes: LANES, ms: MS };
    const sides = [];
    try {
      for (const size of sizes) sides.push(await openSide(await server.sampleDatabase(size), size));
      const measured = await withClient(sides[0].url, (client) => measure(client, sides, { load, rounds }));
      for (const [name, [few, many]] of measured) {
        const slowdown = ratio(
          many.map(({ p50 }) => p50),
          few.map(({ p50 }) => p50),
        );
        report.row({
          id: `capacity.${name}`,
          name: `${name}, p50 with ${big} users ÷ with ${sizes[0]}`,
          unit: '×',
          measure: slowdown,
        });
      }
      report.text(costsTable(measured, sizes));
    } finally {
      for (const side of sides) await side.stop();
    }
  },
};

/** Measures each operation on both sides in turns. The first round only warms up. */
async function measure(client, sides, { load, rounds }) {
  // Waits for the work that follows a start.
  await pause(SETTLE_MS);
  const measured = new Map();
  for (const [name, work] of Object.entries(OPERATIONS)) {
    const atRest = await costAtRest(client, sides, load.ms);
    const costs = [[], []];
    for (let round = 0; round <= rounds; round++) {
      for (const [place, side] of sides.entries()) {
        const cost = await costOf(client, side, { work, load, atRest: atRest[place] });
        if (round > 0) costs[place].push(cost);
      }
    }
    measured.set(name, costs);
  }
  return measured;
}

/** Measures what the service of each side and the server use in a millisecond without a request. */
async function costAtRest(client, sides, ms) {
  const costs = [];
  for (const { service } of sides) {
    const began = await usageOf(client, service);
    await pause(ms);
    const ended = await usageOf(client, service);
    costs.push(perUnit(began, ended, ended.at - began.at));
  }
  return costs;
}

async function costOf(client, side, { work, load, atRest }) {
  const times = [];
  const began = await usageOf(client, side.service);
  await ratePerSecond(load, async (lane) => {
    const { ms } = await work(side, lane);
    times.push(ms);
  });
  const ended = await usageOf(client, side.service);
  side.service.process.dropOutput();
  const all = perUnit(began, ended, times.length);
  const rest = (ended.at - began.at) / times.length;
  for (const name of Object.keys(all)) all[name] = Math.max(0, all[name] - atRest[name] * rest);
  return { p50: median(times), p99: quantile(times, 0.99), ...all };
}

async function usageOf(client, { process }) {
  const server = await postgresUsage(client);
  const { cpuMicros } = await process.usage();
  return { at: performance.now(), counters: { serviceCpuMs: cpuMicros / 1000, ...server } };
}

function perUnit({ counters: began }, { counters: ended }, units) {
  return Object.fromEntries(Object.keys(began).map((name) => [name, (ended[name] - began[name]) / units]));
}

const me = '/api/users/me';
const page =
  (query) =>
  ({ client, admin }) =>
    client.expect(200, 'GET', `/api/users?${query}`, { token: admin });
const post = (client, status, path, body) =>
  client.expect(status, 'POST', path, { body: JSON.stringify(body) });

/** One request each. The sign-in comes first, because others use its sessions. */
const OPERATIONS = {
  'sign-in': async (side, lane) => {
    const callers = side.callers[lane];
    const caller = callers[side.turn++ % callers.length];
    const answer = await post(side.client, 200, '/api/auth/login', {
      email: caller.email,
      password: SAMPLE_PASSWORD,
    });
    if (caller.session === undefined) side.sessions[lane].push(caller);
    caller.session = JSON.parse(answer.body);
    return answer;
  },
  me: (side, lane) => side.client.expect(200, 'GET', me, { token: sessionOf(side, lane).access_token }),
  'me, caller not cached': async (side, lane) => {
    if (performance.now() - side.forgotAt > FORGET_EVERY_MS) {
      side.forgotAt = Infinity;
      await side.statements.query(`NOTIFY gatehouse_principals, 'all'`);
      side.forgotAt = performance.now();
    }
    return side.client.expect(200, 'GET', me, { token: sessionOf(side, lane).access_token });
  },
  refresh: async (side, lane) => {
    const session = sessionOf(side, lane);
    const answer = await post(side.client, 200, '/api/auth/refresh', {
      refresh_token: session.refresh_token,
    });
    Object.assign(session, JSON.parse(answer.body));
    return answer;
  },
  'PATCH me': (side, lane) => {
    const body = JSON.stringify({ name: `Name ${side.turn++}` });
    return side.client.expect(200, 'PATCH', me, { token: sessionOf(side, lane).access_token, body });
  },
  'sign-up': (side) =>
    post(side.client, 201, '/api/users', {
      email: `capacity-${Date.now()}-${side.turn++}@example.com`,
      password: SAMPLE_PASSWORD,
      name: 'Capacity',
    }),
  'first page': page('limit=20'),
  'page from the middle': (side) => page(`limit=20&cursor=${side.middle}`)(side),
  'search, 1 user in 50': page('search=garcia'),
  'search, 1 user in 200': page('search=richter'),
  'search, 1 user in 2,000': page(`search=${encodeURIComponent('o’connor')}`),
  'search, 1 user in 35,000': page(`search=${encodeURIComponent('brzęczyszczykiewicz')}`),
  'search, two names': page('search=rossi%20smith'),
  'search, whole address': (side, lane) => {
    const caller = side.callers[lane][side.turn++ % side.callers[lane].length];
    return page(`search=${encodeURIComponent(caller.email)}`)(side);
  },
  'role=premium': page('role=premium'),
  'role=premium and search': page('role=premium&search=richter'),
};

/** Returns the session of the lane's next caller. No two lanes share one. */
function sessionOf({ sessions, turns }, lane) {
  return sessions[lane][turns[lane]++ % sessions[lane].length].session;
}

async function openSide({ url, environment }, size) {
  const drawn = await sql(
    url,
    `SELECT email FROM users TABLESAMPLE BERNOULLI ($1)
     WHERE status = 'active' AND name_key NOT IN ('bench', 'capacity')`,
    [Math.min(100, (CALLERS * 100) / size)],
  );
  const cursors = await sql(
    url,
    `SELECT created_at AS at, id FROM users WHERE status <> 'deleted' ORDER BY created_at, id OFFSET $1 LIMIT 1`,
    [Math.floor(size / 2)],
  );
  const [{ at, id }] = cursors;
  const service = await startService(environment);
  const statements = new pg.Client({ connectionString: url });
  await statements.connect();
  const client = new Client(service.url, { maxSockets: LANES });
  const byLane = Object.groupBy(drawn.keys(), (n) => n % LANES);
  return {
    url,
    service,
    client,
    admin: await service.signInAdmin(),
    callers: Object.values(byLane).map((places) => places.map((n) => drawn[n])),
    sessions: Array.from({ length: LANES }, () => []),
    turns: Array.from({ length: LANES }, () => 0),
    turn: 0,
    forgotAt: 0,
    middle: encodeCursor({ key: at.toISOString(), id }, { list: 'users', sort: 'created_at' }),
    statements,
    async stop() {
      client.close();
      await statements.end();
      await service.stop();
    },
  };
}

function costsTable(measured, sizes) {
  const columns = {
    'p50 ms': 'p50',
    'p99 ms': 'p99',
    'service CPU ms': 'serviceCpuMs',
    'database CPU ms': 'cpuMs',
    'WAL bytes': 'walBytes',
    'full pages in it': 'fullPages',
    'WAL flushes': 'walFlushes',
    'pages written': 'pagesWritten',
    transactions: 'transactions',
  };
  const cells = [...measured].flatMap(([name, costs]) =>
    costs.map((rounds, place) => [
      name,
      sizes[place],
      ...Object.values(columns).map((column) => format(median(rounds.map((round) => round[column])))),
    ]),
  );
  return table([['operation', 'users', ...Object.keys(columns)], ...cells]);
}
