// Collects the rows of a run, prints them and writes the files that hold them.

import { availableParallelism, cpus, loadavg, platform } from 'node:os';
import { targets } from '../targets.mjs';
import { judge } from './rows.mjs';
import { rowsTable } from './table.mjs';

/**
 * The measurements of a benchmark.
 * @typedef {object} Result
 * @property {string} began in ISO 8601
 * @property {string} setup the machine and what runs on it
 * @property {{ quick: boolean, rounds: number }} options
 * @property {import('./rows.mjs').JudgedRow[]} rows
 * @property {string[]} texts tables with more than ratios
 */

/** The targets of a quick run: the gates, with the bounds that hold for small sizes and few rounds. */
const quickTargets = Object.fromEntries(
  Object.entries(targets)
    .filter(([, { gate }]) => gate)
    .map(([id, { gate, quickAtMost }]) => [id, { gate, atMost: quickAtMost }]),
);

/** Prints progress to the standard error output and results to the standard output. */
export class Report {
  /** @type {Map<string, Result>} */
  #results = new Map();
  /** @type {Map<string, unknown>} */
  #failures = new Map();
  #benchmark = '';

  /** @param {{ quick: boolean, rounds: number }} options those of the run */
  constructor(options) {
    this.options = options;
  }

  begin(benchmark) {
    this.#benchmark = benchmark;
    const began = new Date().toISOString();
    this.#results.set(benchmark, {
      began,
      setup: describeSetup(),
      options: this.options,
      rows: [],
      texts: [],
    });
    this.say(`${benchmark}: began`);
  }

  /** @returns {Result} */
  get #current() {
    const result = this.#results.get(this.#benchmark);
    if (result === undefined) throw new Error('no benchmark has begun');
    return result;
  }

  /** @param {import('./rows.mjs').Row} row */
  row(row) {
    this.#current.rows.push(judge(row, this.options.quick ? quickTargets : targets));
  }

  /** Adds a text, such as a table with more than ratios, that is printed above the rows of the benchmark. */
  text(text) {
    this.#current.texts.push(text);
  }

  /** Notes that the benchmark could not be finished. The others still run. */
  fail(error) {
    this.#failures.set(this.#benchmark, error);
    this.say(`${this.#benchmark}: ${error instanceof Error ? error.stack : String(error)}`);
  }

  say(message) {
    process.stderr.write(`${message}\n`);
  }

  /** Prints what the current benchmark measured. */
  end() {
    process.stdout.write(`\n${describeResult(this.#benchmark, this.#current)}\n`);
  }

  /** The results of the benchmarks that could be finished, by name. */
  get results() {
    const finished = [...this.#results].filter(([name]) => !this.#failures.has(name));
    return Object.fromEntries(finished);
  }

  /** The exit code: 1 if a benchmark failed or a gate was missed without a reason. */
  get exitCode() {
    const rows = [...this.#results.values()].flatMap((result) => result.rows);
    return this.#failures.size > 0 || rows.some(({ failed }) => failed) ? 1 : 0;
  }

  /** Prints the rows that did not reach their targets, with the reason. */
  summarize() {
    const rows = [...this.#results.values()].flatMap((result) => result.rows);
    const missed = rows.filter(({ reached }) => reached === false);
    const judged = rows.filter(({ reached }) => reached !== null).length;
    const lines = [
      `${rows.length} rows, ${judged} with a target, ${judged - missed.length} reached; ${describeSetup()}`,
      ...missed.map(({ name, target, failed }) => {
        const reason = target?.open === undefined ? '' : `; open: ${target.open}`;
        return `- ${name}: not reached${failed ? ', and this is a gate' : ''}${reason}`;
      }),
      ...[...this.#failures].map(([name, error]) => `- ${name} failed: ${String(error)}`),
    ];
    process.stdout.write(`\n${lines.join('\n')}\n`);
  }
}

/**
 * Formats the result of a benchmark in Markdown.
 * @param {string} name
 * @param {Result} result
 */
export function describeResult(name, { rows, texts }) {
  return [`### ${name}`, ...texts, ...(rows.length > 0 ? [rowsTable(rows)] : [])].join('\n\n');
}

/** Describes the machine and what runs on it. */
function describeSetup() {
  const model = cpus()[0]?.model ?? 'unknown processor';
  const load = loadavg()[0]?.toFixed(1);
  return `Node ${process.versions.node}, ${platform()}, ${availableParallelism()} cores (${model}), load average ${load}`;
}
