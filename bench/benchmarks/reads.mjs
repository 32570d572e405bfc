// Point reads beside peers: `GET /api/users/me` of distinct users, and `GET /health/live` beside a ping.

import { addAccounts } from '../harness/database.mjs';
import { measureCosts, measureKilobytes } from '../harness/contenders.mjs';
import { peerToken, startPeer, startPeerAt } from '../harness/peers.mjs';
import { buildOf, startService } from '../harness/service.mjs';
import { median, ratio, summarize } from '../harness/statistics.mjs';
import { format, table } from '../harness/table.mjs';
import { compileNestPeer } from '../peers/nest/compile.mjs';

/** Distinct callers, so that at any moment all requests in flight are of different users. */
const CALLERS = 64;
const QUICK_CALLERS = 16;
const CONNECTIONS = 32;
const FEW_CONNECTIONS = 2;
const PEERS = ['http', 'express', 'fastify'];
/** Those that a quick run measures at few connections. */
const MAIN = ['service', 'express', 'fastify'];

/**
 * A process with its requests of the two kinds.
 * @typedef {{ name: string, process: import('../harness/processes.mjs').MeasuredProcess, me: import('../harness/load.mjs').Request[], live: import('../harness/load.mjs').Request[] }} Reader
 */

/** @type {import('../harness/benchmark.mjs').Benchmark} */
export default {
  name: 'reads',
  about: 'GET /api/users/me and GET /health/live beside node:http, Express, Fastify and Nest as documented',
  async run({ server, quick, rounds, options, report }) {
    const started = [];
    try {
      const readers = await startReaders({ server, quick, before: options.before, started });
      const as = (kind, chosen = readers) => chosen.map((each) => ({ ...each, requests: each[kind] }));
      const load = { rounds, seconds: quick ? 1 : 2, connections: CONNECTIONS };
      const few = quick ? readers.filter(({ name }) => MAIN.includes(name)) : readers;
      const costs = {
        me: await measureCosts(as('me'), load),
        few: await measureCosts(as('me', few), { ...load, connections: FEW_CONNECTIONS }),
        live: await measureCosts(as('live'), load),
      };
      const counts = { rounds: quick ? 1 : 5, count: quick ? 3_000 : 5_000, connections: CONNECTIONS };
      const kilobytes = { me: new Map(), live: new Map() };
      for (const kind of ['me', 'live']) {
        // Only those of the service are rows.
        const measured = quick ? readers.slice(0, 1) : readers;
        for (const each of as(kind, measured)) {
          kilobytes[kind].set(each.name, await measureKilobytes(each, counts));
        }
      }
      const row = (id, name, measure, unit = '×') => report.row({ id, name, unit, measure });
      const against = (id, kind, peer, name) => {
        const [ours, theirs] = ['service', peer].map((each) => costs[kind].get(each));
        if (theirs !== undefined) row(id, name, ratio(ours.micros, theirs.micros));
      };
      against('me.cpu.http', 'me', 'http', 'CPU of me at 32 connections ÷ bare node:http');
      against('me.cpu.express', 'me', 'express', 'CPU of me at 32 connections ÷ Express');
      against('me.cpu.fastify', 'me', 'fastify', 'CPU of me at 32 connections ÷ Fastify');
      against('me.cpu.nest', 'me', 'nest', 'CPU of me at 32 connections ÷ Nest as documented');
      against('me.cpu.before', 'me', 'before', 'CPU of me at 32 connections ÷ build before');
      row('me.kb', 'allocated by me', summarize(kilobytes.me.get('service')), 'KB');
      against('me-2.cpu.express', 'few', 'express', 'CPU of me at 2 connections ÷ Express');
      against('me-2.cpu.fastify', 'few', 'fastify', 'CPU of me at 2 connections ÷ Fastify');
      against('live.cpu.express', 'live', 'express', 'CPU of live ÷ Express ping');
      against('live.cpu.fastify', 'live', 'fastify', 'CPU of live ÷ Fastify ping');
      against('live.cpu.before', 'live', 'before', 'CPU of live ÷ build before');
      row('live.kb', 'allocated by live', summarize(kilobytes.live.get('service')), 'KB');
      report.text(describe('me, 32 connections', costs.me, kilobytes.me));
      report.text(describe('me, 2 connections', costs.few, kilobytes.me));
      report.text(describe('live and ping, 32 connections', costs.live, kilobytes.live));
    } finally {
      for (const each of started) await each.stop();
    }
  },
};

/**
 * Starts the service, the older build if there is one, and the peers. The service is the first.
 * @returns {Promise<Reader[]>}
 */
async function startReaders({ server, quick, before, started }) {
  const database = await server.database('reads');
  const callers = quick ? QUICK_CALLERS : CALLERS;
  const accounts = await addAccounts(database.url, callers);
  const readers = [await startServiceReader('service', database, accounts, started)];
  if (before !== undefined) {
    const older = await server.emptyDatabase('reads_before');
    const build = await buildOf(before);
    // Creates the tables.
    await (await startService(older.environment, build)).stop();
    const olderAccounts = await addAccounts(older.url, callers);
    readers.push(await startServiceReader('before', older, olderAccounts, started, build));
  }
  const environment = { DATABASE_URL: database.url };
  const me = accounts.map((account) => ({ path: '/me', token: peerToken(account) }));
  const addReader = async (name, starting) => {
    const process = await starting;
    started.push(process);
    readers.push({ name, process, me, live: [{ path: '/ping' }] });
  };
  for (const name of PEERS) await addReader(name, startPeer(name, environment));
  await addReader('nest', startPeerAt(compileNestPeer(), environment));
  return readers;
}

async function startServiceReader(name, database, accounts, started, build = {}) {
  const service = await startService(database.environment, build);
  started.push(service);
  const me = [];
  for (const account of accounts) {
    me.push({ path: '/api/users/me', token: (await service.signIn(account)).access_token });
  }
  return { name, process: service.process, me, live: [{ path: '/health/live' }] };
}

/** Formats the medians of all contenders. */
function describe(title, costs, kilobytes) {
  const rows = [...costs].map(([name, { micros, perSecond, p50Ms, p99Ms }]) => {
    const cpu = summarize(micros);
    return [
      name,
      cpu.value.toFixed(0),
      `${cpu.low.toFixed(0)} to ${cpu.high.toFixed(0)}`,
      median(perSecond).toFixed(0),
      format(median(p50Ms)),
      format(median(p99Ms)),
      kilobytes.has(name) ? format(median(kilobytes.get(name))) : '',
    ];
  });
  return table([[title, 'CPU µs', 'lowest to highest', 'per second', 'p50 ms', 'p99 ms', 'KB'], ...rows]);
}
