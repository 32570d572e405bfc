// `npm run bench -- [options] [NAME …]`: runs the benchmarks of `bench/benchmarks`, all of them without a name.

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { DatabaseServer } from './harness/database.mjs';
import { drawResults, replaceTables, writeResults } from './harness/files.mjs';
import { Report } from './harness/report.mjs';

const FOLDER = join(import.meta.dirname, 'benchmarks');
const RESULTS = join(import.meta.dirname, 'results');
const README = join(import.meta.dirname, 'README.md');
const PICTURE = join(import.meta.dirname, '../docs/images/benchmarks.svg');
const ROUNDS = 7;
const QUICK_ROUNDS = 1;

const { values: options, positionals: wanted } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    // Kept after the run, and reused without being filled again.
    'data-dir': { type: 'string' },
    accounts: { type: 'string' },
    entries: { type: 'string' },
    repetitions: { type: 'string' },
    pages: { type: 'string' },
    requests: { type: 'string' },
    sockets: { type: 'string' },
    // The folder of an older build with its own dist and node_modules.
    before: { type: 'string' },
    out: { type: 'string' },
    list: { type: 'boolean', default: false },
  },
});

const names = readdirSync(FOLDER).map((file) => basename(file, '.mjs'));
const unknown = wanted.filter((name) => !names.includes(name));
if (unknown.length > 0) {
  process.stderr.write(`unknown benchmark ${unknown.join(', ')}: use one of ${names.join(', ')}\n`);
  process.exitCode = 2;
} else if (options.list) {
  for (const { name, about } of await load(names)) process.stdout.write(`${name.padEnd(10)} ${about}\n`);
} else {
  await run(await load(wanted.length > 0 ? wanted : names));
}

/** @returns {Promise<import('./harness/benchmark.mjs').Benchmark[]>} */
function load(chosen) {
  return Promise.all(chosen.map(async (name) => (await import(join(FOLDER, `${name}.mjs`))).default));
}

async function run(benchmarks) {
  const { quick } = options;
  const rounds = Number(options.rounds ?? (quick ? QUICK_ROUNDS : ROUNDS));
  const report = new Report({ quick, rounds });
  const server = await DatabaseServer.open({
    dataDir: options['data-dir'],
    say: (message) => report.say(message),
  });
  try {
    for (const benchmark of benchmarks) {
      const started = performance.now();
      report.begin(benchmark.name);
      await benchmark.run({ server, quick, rounds, options, report }).catch((error) => report.fail(error));
      report.end();
      report.say(`${benchmark.name}: ${((performance.now() - started) / 1000).toFixed(1)} s`);
    }
  } finally {
    await server.close();
  }
  report.summarize();
  keep(report.results);
  process.exitCode = report.exitCode;
}

/** Writes the results of a full run to the repository, or of any run to the folder that was asked for. */
function keep(results) {
  if (options.out !== undefined) {
    writeResults(options.out, results);
  } else if (!options.quick) {
    const all = writeResults(RESULTS, results);
    writeFileSync(PICTURE, drawResults(all));
    writeFileSync(README, replaceTables(readFileSync(README, 'utf8'), all));
  }
}
