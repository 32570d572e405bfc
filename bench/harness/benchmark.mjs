// What a benchmark is, and what it gets.

/**
 * @typedef {object} Context
 * @property {import('./database.mjs').DatabaseServer} server
 * @property {boolean} quick everything small, as a smoke test of the harness
 * @property {number} rounds of each measurement, in turns
 * @property {Readonly<Record<string, string | undefined>>} options those of the command line
 * @property {import('./report.mjs').Report} report
 *
 * @typedef {object} Benchmark
 * @property {string} name the name of its file
 * @property {string} about one line for the usage
 * @property {(context: Context) => Promise<void>} run
 */

export {};
