// Collects the rows of a run, prints them and writes the files that hold them.

import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, platform } from 'node:os';
import { join } from 'node:path';
import { drawRows } from './picture.mjs';
import { judge } from './rows.mjs';
import { rowsTable } from './table.mjs';

/** Prints progress to the standard error output and results to the standard output. */
export class Report {
  /** @type {(import('./rows.mjs').JudgedRow & { benchmark: string })[]} */
  #rows = [];
  #texts = new Map();
  #benchmark = '';
  #failures = new Map();
  #began = new Date();

  begin(benchmark) {
    this.#benchmark = benchmark;
    this.say(`${benchmark}: began`);
  }

  /** @param {import('./rows.mjs').Row} row */
  row(row) {
    this.#rows.push({ ...judge(row), benchmark: this.#benchmark });
  }

  /** Adds a text, such as a table with more than ratios, that is printed below the rows of the benchmark. */
  text(text) {
    this.#texts.set(this.#benchmark, [...(this.#texts.get(this.#benchmark) ?? []), text]);
  }

  /** Notes that the benchmark could not be finished. The others still run. */
  fail(error) {
    this.#failures.set(this.#benchmark, error);
    process.stderr.write(`${this.#benchmark}: ${error instanceof Error ? error.stack : error}\n`);
  }

  say(message) {
    process.stderr.write(`${message}\n`);
  }

  /** Prints what the current benchmark measured. */
  end() {
    const rows = this.#rows.filter(({ benchmark }) => benchmark === this.#benchmark);
    const parts = [`## ${this.#benchmark}`, ...(this.#texts.get(this.#benchmark) ?? [])];
    if (rows.length > 0) parts.push(rowsTable(rows));
    process.stdout.write(`\n${parts.join('\n\n')}\n`);
  }

  /** The exit code: 1 if a benchmark failed or a gate was missed without a reason. */
  get exitCode() {
    return this.#failures.size > 0 || this.#rows.some(({ failed }) => failed) ? 1 : 0;
  }

  /** Prints the rows that did not reach their targets, with the reason. */
  summarize() {
    const missed = this.#rows.filter(({ reached }) => reached === false);
    const lines = missed.map(
      ({ name, target, failed }) =>
        `- ${name}: not reached${failed ? ', and this is a gate' : ''}${target?.open ? `; open: ${target.open}` : ''}`,
    );
    const judged = this.#rows.filter(({ target }) => target !== null).length;
    process.stdout.write(
      `\n${this.#rows.length} rows, ${judged} with a target, ${judged - missed.length} reached; ${setup()}\n${lines.join('\n')}\n`,
    );
    for (const [name, error] of this.#failures) process.stdout.write(`! ${name} failed: ${String(error)}\n`);
  }

  /**
   * Writes the rows as JSON and as a picture.
   * @param {string} folder made if necessary
   * @param {Readonly<Record<string, unknown>>} options those of the run
   */
  write(folder, options) {
    mkdirSync(folder, { recursive: true });
    const rows = this.#rows.map(({ failed: _, ...row }) => row);
    const result = { began: this.#began.toISOString(), setup: setup(), options, rows };
    writeFileSync(join(folder, 'latest.json'), `${JSON.stringify(result, null, 2)}\n`);
    writeFileSync(join(folder, 'latest.svg'), drawRows(rows));
  }
}

/** Describes the machine and what runs on it. */
function setup() {
  const model = cpus()[0]?.model ?? 'unknown processor';
  const load = loadavg()[0]?.toFixed(1);
  return `Node ${process.versions.node}, ${platform()}, ${availableParallelism()} cores (${model}), load average ${load}`;
}
