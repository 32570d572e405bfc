// The time from process start to ready on an existing database, beside an older build, and the memory of the idle
// process.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pause } from '../harness/lanes.mjs';
import { buildOf, startService } from '../harness/service.mjs';
import { ratio, summarize } from '../harness/statistics.mjs';

const STARTS = 20;
const IDLE_MS = 5_000;
const QUICK_IDLE_MS = 1_000;
const MEGABYTE = 1024 * 1024;

/** @type {import('../harness/benchmark.mjs').Benchmark} */
export default {
  name: 'start',
  about: 'from process start to ready; `--before <folder>` compares with an older build',
  async run({ server, quick, options, report }) {
    const starts = quick ? 1 : STARTS;
    const database = await server.database('start');
    const contenders = new Map([['now', { environment: database.environment, build: {} }]]);
    if (options.before !== undefined) {
      const before = await server.emptyDatabase('start_before');
      contenders.set('before', { environment: before.environment, build: await buildOf(options.before) });
    }
    const folder = await mkdtemp(join(tmpdir(), 'gatehouse-bench-'));
    // Starts its own embedded server, as `npm start` does.
    if (!quick) contenders.set('embedded', { environment: { DATA_DIR: folder }, build: {} });
    try {
      const times = new Map();
      const idle = new Map();
      for (const [name, { environment, build }] of contenders) {
        const first = await startService(environment, build); // Creates the tables and the administrator.
        await first.stop();
        const second = await startService(environment, build);
        await pause(quick ? QUICK_IDLE_MS : IDLE_MS);
        idle.set(name, (await second.process.usage()).rssBytes / MEGABYTE);
        await second.stop();
        times.set(name, []);
      }
      for (let round = 0; round < starts; round++) {
        for (const [name, { environment, build }] of contenders) {
          const service = await startService(environment, build);
          times.get(name).push(service.process.startMs);
          await service.stop();
        }
      }
      const names = {
        now: 'a running database',
        before: 'a running database, build before',
        embedded: 'an embedded database, started with it',
      };
      for (const [name, all] of times) {
        report.row({
          id: `start.${name}`,
          name: `start on ${names[name]}`,
          unit: 'ms',
          measure: summarize(all),
        });
        const [mb] = [idle.get(name)];
        const measure = { value: mb, low: mb, high: mb };
        report.row({
          id: `start.${name}.idle`,
          name: `idle memory with ${names[name]}`,
          unit: 'MB',
          measure,
        });
      }
      if (times.has('before')) {
        const measure = ratio(times.get('now'), times.get('before'));
        report.row({ id: 'start.ratio', name: 'start to ready ÷ build before', unit: '×', measure });
      }
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
};
