// The memory of the service: idle, under load, and after many requests.

import { addAccounts } from '../harness/database.mjs';
import { sendCount } from '../harness/connection.mjs';
import { pause } from '../harness/lanes.mjs';
import { startService } from '../harness/service.mjs';

const CALLERS = 64;
const QUICK_CALLERS = 8;
const CONNECTIONS = 32;
const REQUESTS = 1_000_000;
const QUICK_REQUESTS = 2_000;
const STEPS = 10;
const IDLE_MS = 5_000;
const QUICK_IDLE_MS = 1_500;
const MEGABYTE = 1024 * 1024;

/** @type {import('../harness/benchmark.mjs').Benchmark} */
export default {
  name: 'memory',
  about: 'resident memory when idle, under load, and after 1,000,000 requests',
  async run({ server, quick, options, report }) {
    const database = await server.database('memory');
    const accounts = await addAccounts(database.url, quick ? QUICK_CALLERS : CALLERS);
    // The first start creates the administrator; the idle process is an ordinary one.
    await (await startService(database.environment)).stop();
    const service = await startService(database.environment);
    const total = Number(options.requests ?? (quick ? QUICK_REQUESTS : REQUESTS));
    const row = (id, name, value, unit = 'MB') =>
      report.row({ id, name, unit, measure: { value, low: value, high: value } });
    try {
      await pause(quick ? QUICK_IDLE_MS : IDLE_MS);
      row('memory.idle', 'resident memory when idle', (await service.process.usage()).rssBytes / MEGABYTE);
      const requests = [];
      for (const account of accounts) {
        requests.push({ path: '/api/users/me', token: (await service.signIn(account)).access_token });
      }
      const plateaus = [];
      for (let step = 0; step < STEPS; step++) {
        await sendCount(service.url, { requests, connections: CONNECTIONS, count: Math.ceil(total / STEPS) });
        plateaus.push((await service.process.usage()).rssBytes / MEGABYTE);
        service.process.dropOutput();
      }
      row(
        'memory.peak',
        `peak during ${total} requests`,
        (await service.process.usage()).maxRssBytes / MEGABYTE,
      );
      const name = `after ${total} requests ÷ after ${Math.ceil(total / STEPS)}`;
      row('memory.plateau', name, plateaus.at(-1) / plateaus[0], '×');
      report.text(`resident MB after each tenth: ${plateaus.map((mb) => mb.toFixed(0)).join(', ')}`);
    } finally {
      await service.stop();
    }
  },
};
