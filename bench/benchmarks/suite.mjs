// The time of the test suite.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { secondsOf } from '../harness/lanes.mjs';

const ROOT = join(import.meta.dirname, '../..');

/** @type {import('../harness/benchmark.mjs').Benchmark} */
export default {
  name: 'suite',
  about: 'the time of `npm test`; not in a quick run',
  async run({ quick, report }) {
    if (quick) return report.text('The suite is a step of its own where a quick run is one.');
    const seconds = await secondsOf(async () => {
      const test = spawn('npm', ['test'], { cwd: ROOT, stdio: ['ignore', 'ignore', 'inherit'] });
      const [code] = await once(test, 'exit');
      if (code !== 0) throw new Error(`npm test ended with ${code}`);
    });
    const minutes = seconds / 60;
    const measure = { value: minutes, low: minutes, high: minutes };
    return report.row({ id: 'suite', name: 'the test suite', unit: 'min', measure });
  },
};
