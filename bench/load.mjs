// The load of `bench/overload.mjs`, in a separate thread. It sends one raw request over many connections,
// either as fast as answers arrive (closed loop) or at a fixed rate regardless of answers (open loop).

import { connect } from 'node:net';
import { parentPort, workerData } from 'node:worker_threads';
import { cpuSecondsOf } from './cpu.mjs';

const { port } = workerData;
/** More open connections than any answer within a second needs. */
const MAX_CONNECTIONS = 4000;
const TICK_MS = 2;

parentPort.on('message', async (task) => {
  const run = task.rate === undefined ? closedLoop : openLoop;
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
  parentPort.postMessage(await run(task));
});

/** Sends the next request of each connection when its answer has arrived. */
async function closedLoop({ request, connections, ms, rampMs = 0, pid }) {
  const counts = new Counts(pid);
  const open = await Promise.all(Array.from({ length: connections }, () => Connection.open(request, counts)));
  for (const connection of open) connection.send();
  await pause(rampMs);
  counts.begin();
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
  const sendOne = () => {
    const connection = idle.pop();
    if (connection) return connection.send();
    if (all.size >= MAX_CONNECTIONS) return counts.unsent++;
    const fresh = new Connection(request, counts, (free) => idle.push(free));
    all.add(fresh);
    return fresh.send();
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
  #cpuBefore = 0;
  #pid;

  /** Takes `pid`, the process whose CPU use is measured meanwhile. */
  constructor(pid) {
    this.#pid = pid;
  }

  /** Starts counting answers. */
  begin() {
    this.#began = performance.now();
    this.#cpuBefore = this.#cpuSeconds();
  }

  #cpuSeconds() {
    return this.#pid === undefined ? 0 : cpuSecondsOf(this.#pid);
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
    return {
      seconds,
      cpuSeconds: this.#cpuSeconds() - this.#cpuBefore,
      times: Object.fromEntries(this.#times),
      unsent: this.unsent,
      failed: this.failed,
    };
  }
}

class Connection {
  #socket;
  #received = '';
  #sentAt = 0;
  #closed = false;

  constructor(request, counts, whenFree) {
    this.request = request;
    this.counts = counts;
    this.whenFree = whenFree;
    this.#socket = connect(port, '127.0.0.1');
    this.#socket.setNoDelay(true);
    this.#socket.on('data', (chunk) => this.#read(chunk));
    this.#socket.on('error', () => {});
    this.#socket.on('close', () => {
      if (!this.#closed) counts.failed++;
    });
  }

  static async open(request, counts) {
    const connection = new Connection(request, counts, (free) => free.send());
    await new Promise((resolve, reject) => {
      connection.#socket.once('connect', resolve).once('error', reject);
    });
    return connection;
  }

  send() {
    this.#sentAt = performance.now();
    this.#socket.write(this.request);
  }

  close() {
    this.#closed = true;
    this.#socket.destroy();
  }

  #read(chunk) {
    this.#received += chunk.toString('latin1');
    const end = this.#received.indexOf('\r\n\r\n');
    if (end < 0) return;
    const length = Number(/^content-length: *(\d+)/im.exec(this.#received.slice(0, end))?.[1] ?? 0);
    if (this.#received.length < end + 4 + length) return;
    const status = this.#received.slice(9, 12);
    this.#received = this.#received.slice(end + 4 + length);
    this.counts.answered(status, performance.now() - this.#sentAt);
    if (!this.#closed) this.whenFree(this);
  }
}

function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
