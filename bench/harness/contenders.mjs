// Measures the cost of a request to several processes, in turns.

import { sendCount } from './connection.mjs';
import { pause, secondsOf } from './lanes.mjs';
import { sendLoad } from './load.mjs';

/**
 * A process under a load of its own requests.
 * @typedef {{ name: string, process: import('./processes.mjs').MeasuredProcess, requests: readonly import('./load.mjs').Request[] }} Contender
 *
 * The measurements of a contender, one of each for a round.
 * @typedef {{ micros: number[], perSecond: number[], p50Ms: number[], p99Ms: number[] }} Costs
 */

/** The time before the measurement, after which V8 has optimized what is hot. A run of one round skips it, so do not trust its times. */
const WARM_UP_SECONDS = 2;
/** Contains one beat of what runs every second. */
const AT_REST_MS = 1_000;

/**
 * Measures the CPU time of a request, of all threads in user mode and in the kernel. Every second round runs
 * backwards, so that what slowly changes on the machine favours nobody.
 * @param {readonly Contender[]} contenders
 * @param {{ rounds: number, seconds: number, connections: number }} options
 * @returns {Promise<Map<string, Costs>>} by the name of the contender
 */
export async function measureCosts(contenders, { rounds, seconds, connections }) {
  const costs = new Map(
    contenders.map(({ name }) => [name, { micros: [], perSecond: [], p50Ms: [], p99Ms: [] }]),
  );
  if (rounds > 1) {
    const warmUp = { seconds: Math.min(seconds, WARM_UP_SECONDS), connections };
    for (const each of contenders) await measureOnce(each, warmUp);
  }
  for (let round = 0; round < rounds; round++) {
    for (const contender of round % 2 === 0 ? contenders : contenders.toReversed()) {
      const measured = await measureOnce(contender, { seconds, connections });
      for (const [name, values] of Object.entries(costs.get(contender.name))) values.push(measured[name]);
    }
  }
  return costs;
}

async function measureOnce({ process, requests }, { seconds, connections }) {
  const before = await process.usage();
  const sent = await sendLoad(process.url, { requests, connections, seconds });
  const after = await process.usage();
  process.dropOutput();
  return {
    micros: (after.cpuMicros - before.cpuMicros) / sent.requests,
    perSecond: sent.requests / sent.seconds,
    p50Ms: sent.p50Ms,
    p99Ms: sent.p99Ms,
  };
}

/**
 * Measures the kilobytes (1,024 bytes) that a request allocates on the heap of the main thread. Leaves out what the
 * process allocates at rest: heartbeats, seals, tasks.
 * @param {Contender} contender
 * @param {{ rounds: number, count: number, connections: number }} options `count` requests in each round, and as many
 *   before the first
 * @returns {Promise<number[]>} one for each round
 */
export async function measureKilobytes({ process, requests }, { rounds, count, connections }) {
  const kilobytes = [];
  await sendCount(process.url, { requests, connections, count });
  const atRest = await bytesPerSecondAtRest(process);
  for (let round = 0; round < rounds; round++) {
    const before = await process.usage();
    const seconds = await secondsOf(() => sendCount(process.url, { requests, connections, count }));
    const after = await process.usage();
    process.dropOutput();
    const allocated = after.allocatedBytes - before.allocatedBytes - atRest * seconds;
    kilobytes.push(allocated / 1024 / count);
  }
  return kilobytes;
}

async function bytesPerSecondAtRest(process) {
  const before = await process.usage();
  await pause(AT_REST_MS);
  const after = await process.usage();
  return (after.allocatedBytes - before.allocatedBytes) / (AT_REST_MS / 1000);
}
