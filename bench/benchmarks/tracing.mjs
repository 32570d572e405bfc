// The cost of tracing: `GET /api/users/me` with tracing off, with a hundredth of the requests recorded, and with all.

import { addAccounts } from '../harness/database.mjs';
import { measureCosts, measureKilobytes } from '../harness/contenders.mjs';
import { startPeer } from '../harness/peers.mjs';
import { buildOf, startService } from '../harness/service.mjs';
import { median, ratio, summarize } from '../harness/statistics.mjs';
import { table } from '../harness/table.mjs';

const CALLERS = 64;
const QUICK_CALLERS = 16;
const CONNECTIONS = 32;

/** @type {import('../harness/benchmark.mjs').Benchmark} */
export default {
  name: 'tracing',
  about: 'CPU of GET /api/users/me with tracing off, with 1 % of the requests recorded, and with all',
  async run({ server, quick, rounds, options, report }) {
    const started = [];
    try {
      const database = await server.database('tracing');
      const accounts = await addAccounts(database.url, quick ? QUICK_CALLERS : CALLERS);
      const collector = await startPeer('receiver', {});
      started.push(collector);
      const traced = (share) => ({
        OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
        OTEL_TRACES_SAMPLER_ARG: share,
      });
      const contenders = [];
      const add = async (name, { environment, accounts: callers }, settings, build) => {
        const service = await startService({ ...environment, ...settings }, build);
        started.push(service);
        const requests = [];
        for (const account of callers) {
          requests.push({ path: '/api/users/me', token: (await service.signIn(account)).access_token });
        }
        contenders.push({ name, process: service.process, requests });
      };
      const side = { environment: database.environment, accounts };
      await add('off', side, {});
      await add('1 %', side, traced('0.01'));
      await add('all', side, traced('1'));
      if (options.before !== undefined)
        await add('before', ...(await olderSide(server, options.before, accounts.length)));
      const costs = await measureCosts(contenders, {
        rounds,
        seconds: quick ? 1 : 2,
        connections: CONNECTIONS,
      });
      const compare = (id, name, one, other) => {
        const [measured, reference] = [one, other].map((each) => costs.get(each)?.micros);
        if (measured && reference) report.row({ id, name, unit: '×', measure: ratio(reference, measured) });
      };
      compare('tracing.share', 'requests per CPU second with 1 % recorded ÷ tracing off', '1 %', 'off');
      compare('tracing.all', 'requests per CPU second with all recorded ÷ tracing off', 'all', 'off');
      compare('tracing.off', 'requests per CPU second with tracing off ÷ build before', 'off', 'before');
      const counts = { rounds: quick ? 1 : 5, count: quick ? 3_000 : 5_000, connections: CONNECTIONS };
      const kilobytes = new Map();
      for (const each of contenders) kilobytes.set(each.name, await measureKilobytes(each, counts));
      report.text(describe(costs, kilobytes));
    } finally {
      for (const each of started.toReversed()) await each.stop();
    }
  },
};

/** Returns the database, the settings and the entry of another build. */
async function olderSide(server, folder, callers) {
  const older = await server.emptyDatabase('tracing_before');
  const build = await buildOf(folder);
  // Creates the tables.
  await (await startService(older.environment, build)).stop();
  const accounts = await addAccounts(older.url, callers);
  return [{ environment: older.environment, accounts }, {}, build];
}

function describe(costs, kilobytes) {
  const rows = [...costs].map(([name, { micros, perSecond }]) => {
    const cpu = summarize(micros);
    return [
      name,
      cpu.value.toFixed(0),
      `${cpu.low.toFixed(0)} to ${cpu.high.toFixed(0)}`,
      median(perSecond).toFixed(0),
      median(kilobytes.get(name)).toFixed(1),
    ];
  });
  return table([['recorded', 'CPU µs', 'lowest to highest', 'per second', 'KB'], ...rows]);
}
