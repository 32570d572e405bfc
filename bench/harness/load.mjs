// Load by wrk where it is installed, and by autocannon otherwise. Both are processes of their own.

import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const here = (name) => join(import.meta.dirname, name);

/**
 * A request of a load. They are sent in turn, so that requests in flight at any moment are of different callers.
 * @typedef {{ path: string, token?: string }} Request
 *
 * @typedef {{ requests: number, seconds: number, failed: number, p50Ms: number, p99Ms: number }} LoadResult
 */

/** A service on a busy machine may refuse some requests, which costs little. */
const MAX_FAILED = 0.02;

/** The name of the load generator of this machine. `BENCH_LOAD=autocannon` chooses autocannon. */
export const generator =
  process.env.BENCH_LOAD !== 'autocannon' && spawnSync('wrk', ['--version']).error === undefined
    ? 'wrk'
    : 'autocannon';

/**
 * Sends as many requests as are answered in that time.
 * @param {string} url
 * @param {{ requests: readonly Request[], connections: number, seconds: number }} load `seconds` is a whole number
 * @returns {Promise<LoadResult>}
 * @throws an error if more than 2 % of the requests failed or were refused
 */
export async function sendLoad(url, { requests, connections, seconds }) {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-bench-load-'));
  const file = join(folder, 'requests');
  writeFileSync(file, requests.map(({ path, token = '' }) => `${path} ${token}`.trim()).join('\n'));
  try {
    const common = { env: { ...process.env, BENCH_REQUESTS: file } };
    const { stdout } =
      generator === 'wrk'
        ? await run('wrk', ['-t1', `-c${connections}`, `-d${seconds}s`, '-s', here('wrk.lua'), url], common)
        : await run(
            process.execPath,
            [here('autocannon.mjs'), url, String(connections), String(seconds)],
            common,
          );
    const result = JSON.parse(/^BENCH (.*)$/m.exec(stdout)?.[1] ?? 'null');
    if (result === null) throw new Error(`the load generator reported nothing: ${stdout}`);
    if (result.failed > result.requests * MAX_FAILED)
      throw new Error(`${result.failed} of ${result.requests} requests to ${url} failed`);
    return result;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
