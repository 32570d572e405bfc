// The load of the benchmark `overload`, in a separate thread. It sends one raw request over many connections, either as
// fast as answers arrive (closed loop) or at a fixed rate regardless of answers (open loop).

import { parentPort, workerData } from 'node:worker_threads';
import { Connection } from './connection.mjs';
import { pause } from './lanes.mjs';

const { port } = workerData;
/** More open connections than any answer within a second needs. */
const MAX_CONNECTIONS = 4000;
const TICK_MS = 2;

parentPort.on('message', async (task) => {
  const run = task.rate === undefined ? closedLoop : openLoop;
  parentPort.postMessage(await run(task));
});

/** Sends the next request of each connection when its answer has arrived. */
async function closedLoop({ request, connections, ms, rampMs = 0 }) {
  const counts = new Counts();
  const answered = (connection, status, took) => {
    counts.answered(status, took);
    if (!connection.closed) connection.send(request);
  };
  const options = { port, answered, lost: () => counts.failed++ };
  const open = await Promise.all(Array.from({ length: connections }, () => Connection.open(options)));
  for (const connection of open) connection.send(request);
  await pause(rampMs);
  counts.begin();
  // The main thread measures from the beginning to the end what the service uses.
  parentPort.postMessage('began');
  await pause(ms);
  const result = counts.end();
  for (const connection of open) connection.close();
  return result;
}

/**
 * Sends a fixed number of requests per second. A request that finds all connections busy at the maximum
 * counts as `unsent`.
 */
async function openLoop({ request, rate, ms, rampMs = 0 }) {
  const counts = new Counts();
  const idle = [];
  const all = new Set();
  let sent = 0;
  const answered = (connection, status, took) => {
    counts.answered(status, took);
    idle.push(connection);
  };
  const sendOne = () => {
    const connection = idle.pop() ?? fresh();
    if (connection === null) counts.unsent++;
    else connection.send(request);
  };
  const fresh = () => {
    if (all.size >= MAX_CONNECTIONS) return null;
    const connection = new Connection({ port, answered, lost: () => counts.failed++ });
    all.add(connection);
    return connection;
  };
  const started = performance.now();
  while (performance.now() - started < rampMs + ms) {
    if (!counts.begun && performance.now() - started >= rampMs) counts.begin();
    const due = Math.floor(((performance.now() - started) / 1000) * rate);
    for (; sent < due; sent++) sendOne();
    await pause(TICK_MS);
  }
  const result = counts.end();
  for (const connection of all) connection.close();
  return result;
}

class Counts {
  unsent = 0;
  failed = 0;
  #times = new Map();
  #began = Infinity;
  #ended = Infinity;

  /** Starts counting answers. */
  begin() {
    this.#began = performance.now();
  }

  get begun() {
    return this.#began < Infinity;
  }

  answered(status, ms) {
    const now = performance.now();
    if (now < this.#began || now > this.#ended) return;
    const times = this.#times.get(status) ?? [];
    times.push(ms);
    this.#times.set(status, times);
  }

  end() {
    this.#ended = performance.now();
    const seconds = (this.#ended - this.#began) / 1000;
    return { seconds, times: Object.fromEntries(this.#times), unsent: this.unsent, failed: this.failed };
  }
}
