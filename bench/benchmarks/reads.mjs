// Point reads beside peers: `GET /api/users/me` of distinct users, and `GET /health/live` beside a ping.

import { addAccounts } from '../harness/database.mjs';
import { measureCosts, measureKilobytes } from '../harness/contenders.mjs';
import { peerToken, startPeer, startPeerAt } from '../harness/peers.mjs';
import { startService } from '../harness/service.mjs';
import { median, ratio, summarize } from '../harness/statistics.mjs';
import { format, table } from '../harness/table.mjs';
import { compileNestPeer } from '../peers/nest/compile.mjs';

/** Distinct callers, so that at any moment all requests in flight are of different users. */
const CALLERS = 64;
const CONNECTIONS = 32;
const FEW_CONNECTIONS = 2;
const PEERS = ['http', 'express', 'fastify'];

/** @type {import('../harness/benchmark.mjs').Benchmark} */
export default {
  name: 'reads',
  about:
    'GET /api/users/me and GET /health/live beside bare node:http, Express, Fastify and Nest as documented',
  async run({ server, quick, rounds, report }) {
    const database = await server.database('reads');
    const accounts = await addAccounts(database.url, CALLERS);
    const started = [];
    try {
      const service = await startService(database.environment);
      started.push(service);
      const processes = new Map([['service', service.process]]);
      const peerEnvironment = { DATABASE_URL: database.url };
      for (const name of PEERS) processes.set(name, await startPeer(name, peerEnvironment));
      processes.set('nest', await startPeerAt(compileNestPeer(), peerEnvironment));
      started.push(...[...processes.values()].slice(1));
      const tokens = [];
      for (const account of accounts) tokens.push((await service.signIn(account)).access_token);
      const me = [...processes].map(([name, process]) => ({
        name,
        process,
        requests:
          name === 'service'
            ? tokens.map((token) => ({ path: '/api/users/me', token }))
            : accounts.map((account) => ({ path: '/me', token: peerToken(account) })),
      }));
      const live = [...processes].map(([name, process]) => ({
        name,
        process,
        requests: [{ path: name === 'service' ? '/health/live' : '/ping' }],
      }));
      const seconds = quick ? 1 : 2;
      const at32 = await measureCosts(me, { rounds, seconds, connections: CONNECTIONS });
      const at2 = await measureCosts(me, { rounds, seconds, connections: FEW_CONNECTIONS });
      const alive = await measureCosts(live, { rounds, seconds, connections: CONNECTIONS });
      const counts = { rounds: Math.min(rounds, 5), count: quick ? 1_000 : 5_000, connections: CONNECTIONS };
      const kilobytes = { me: new Map(), live: new Map() };
      for (const each of me) kilobytes.me.set(each.name, await measureKilobytes(each, counts));
      for (const each of live) kilobytes.live.set(each.name, await measureKilobytes(each, counts));

      const against = (costs, peer) => ratio(costs.get('service').micros, costs.get(peer).micros);
      const row = (id, name, measure, unit = '×') => report.row({ id, name, unit, measure });
      row('me.cpu.http', 'CPU of me at 32 connections ÷ bare node:http', against(at32, 'http'));
      row('me.cpu.express', 'CPU of me at 32 connections ÷ Express', against(at32, 'express'));
      row('me.cpu.fastify', 'CPU of me at 32 connections ÷ Fastify', against(at32, 'fastify'));
      row('me.cpu.nest', 'CPU of me at 32 connections ÷ Nest as documented', against(at32, 'nest'));
      row('me.kb', 'allocated by me', summarize(kilobytes.me.get('service')), 'KB');
      row('me-2.cpu.express', 'CPU of me at 2 connections ÷ Express', against(at2, 'express'));
      row('me-2.cpu.fastify', 'CPU of me at 2 connections ÷ Fastify', against(at2, 'fastify'));
      row('live.cpu.express', 'CPU of live ÷ Express ping', against(alive, 'express'));
      row('live.cpu.fastify', 'CPU of live ÷ Fastify ping', against(alive, 'fastify'));
      row('live.kb', 'allocated by live', summarize(kilobytes.live.get('service')), 'KB');
      report.text(describe('me, 32 connections', at32, kilobytes.me));
      report.text(describe('me, 2 connections', at2, kilobytes.me));
      report.text(describe('live and ping, 32 connections', alive, kilobytes.live));
    } finally {
      for (const each of started) await each.stop();
    }
  },
};

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
      format(median(kilobytes.get(name))),
    ];
  });
  return table([[title, 'CPU µs', 'lowest to highest', 'per second', 'p50 ms', 'p99 ms', 'KB'], ...rows]);
}
