// The latency of deliveries to a healthy receiver while other webhooks for the same events are paused, dead or slow.

import { createServer } from 'node:http';
import { Client } from '../harness/client.mjs';
import { pause } from '../harness/lanes.mjs';
import { startService } from '../harness/service.mjs';
import { median, quantile, ratio } from '../harness/statistics.mjs';
import { format, table } from '../harness/table.mjs';
import { importUsers, until } from './webhooks.mjs';

const USERS = 200;
const EVENTS_PER_SECOND = 50;
/** The time in seconds until the neighbours have all their places taken, and that of a measurement. */
const FILL_SECONDS = 3;
const SECONDS = 10;
const QUICK_SECONDS = 2;
/** Just below the time limit of an attempt. */
const SLOW_MS = 9_000;
const TYPES = ['user.updated'];

/**
 * The neighbours of each measurement, by their paths on the receiver. They are on the host of the healthy webhook, except
 * for the dead one: nothing listens on its port.
 */
const NEIGHBOURS = {
  none: [],
  'a paused one': ['/paused'],
  'a dead one': ['dead'],
  'a slow one': ['/slow'],
  'four that never answer': ['/never-1', '/never-2', '/never-3', '/never-4'],
};

/** @type {import('../harness/benchmark.mjs').Benchmark} */
export default {
  name: 'webhook-neighbours',
  about: 'the latency of a healthy webhook beside paused, dead and slow ones',
  async run({ server, quick, rounds, report }) {
    const database = await server.database('neighbours');
    const service = await startService({ ...database.environment, OUTBOUND_ALLOW_PRIVATE: 'true' });
    const client = new Client(service.url, { maxSockets: 10 });
    const receiver = await Receiver.open();
    try {
      const token = await service.signInAdmin();
      await importUsers(service, token, USERS);
      const { body } = await client.expect(200, 'GET', '/api/users?limit=100', { token });
      const users = JSON.parse(body).filter(({ email }) => email.endsWith('@webhooks.example'));
      const call = async (status, method, path, input) => {
        const answer = await client.expect(status, method, path, { token, body: JSON.stringify(input) });
        return answer.body && JSON.parse(answer.body);
      };
      const hook = async (path) => {
        const url = path === 'dead' ? await receiver.deadUrl() : receiver.url + path;
        const { id } = await call(201, 'POST', '/api/webhooks', { url, types: TYPES });
        if (path === '/paused') await call(200, 'PATCH', `/api/webhooks/${id}`, { status: 'paused' });
        return `/api/webhooks/${id}`;
      };
      await hook('/healthy');
      let changes = 0;
      const change = () => {
        const { id } = users[changes++ % users.length];
        return call(200, 'PATCH', `/api/users/${id}`, { name: `Name ${changes}` });
      };
      const measure = async (paths, seconds) => {
        const hooks = [];
        for (const path of paths) hooks.push(await hook(path));
        await repeatEvenly(FILL_SECONDS, change);
        receiver.delays.length = 0;
        const sent = await repeatEvenly(seconds, change);
        await until(() => receiver.delays.length >= sent);
        const delays = receiver.delays.slice();
        for (const path of hooks) await call(204, 'DELETE', path);
        await receiver.release();
        return delays;
      };
      const p99 = Object.fromEntries(Object.keys(NEIGHBOURS).map((name) => [name, []]));
      const p50 = structuredClone(p99);
      await measure([], 1);
      for (let round = 0; round < rounds; round++) {
        for (const [name, paths] of Object.entries(NEIGHBOURS)) {
          const delays = await measure(paths, quick ? QUICK_SECONDS : SECONDS);
          p99[name].push(quantile(delays, 0.99));
          p50[name].push(median(delays));
          report.say(`${name}: p99 ${format(p99[name].at(-1))} ms`);
        }
      }
      const { none, ...others } = p99;
      for (const [name, values] of Object.entries(others)) {
        report.row({
          id: `webhooks.beside.${name}`,
          targetId: 'webhooks.beside',
          name: `p99 of a webhook beside ${name} ÷ alone`,
          unit: '×',
          measure: ratio(values, none),
        });
      }
      report.text(
        table([
          [`${EVENTS_PER_SECOND} events a second, beside`, 'p50 in ms', 'p99 in ms'],
          ...Object.keys(NEIGHBOURS).map((name) => [
            name,
            format(median(p50[name])),
            format(median(p99[name])),
          ]),
        ]),
      );
    } finally {
      client.close();
      await service.stop();
      await receiver.close();
    }
  },
};

/** A receiver that answers by its path, and measures how old the events for `/healthy` are when they come. */
class Receiver {
  /** @type {number[]} in ms, from just before the commit */
  delays = [];
  #held = new Set();
  #server = createServer((request, response) => this.#receive(request, response));

  static async open() {
    const receiver = new Receiver();
    await new Promise((resolve) => receiver.#server.listen(0, '127.0.0.1', resolve));
    receiver.url = `http://127.0.0.1:${receiver.#server.address().port}`;
    return receiver;
  }

  /** Returns the address of a port that was free a moment ago. */
  async deadUrl() {
    const other = createServer();
    await new Promise((resolve) => other.listen(0, '127.0.0.1', resolve));
    const { port } = other.address();
    await new Promise((resolve) => other.close(resolve));
    return `http://127.0.0.1:${port}/`;
  }

  /** Answers what is held, also what comes until nothing does any more. */
  async release() {
    while (this.#held.size > 0) {
      for (const answer of this.#held) answer();
      await pause(1000);
    }
  }

  async close() {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #receive(request, response) {
    const arrivedAt = performance.timeOrigin + performance.now();
    const pieces = [];
    for await (const piece of request) pieces.push(piece);
    const answer = () => {
      this.#held.delete(answer);
      if (!response.headersSent) response.writeHead(204).end();
    };
    if (request.url === '/healthy') {
      this.delays.push(arrivedAt - Date.parse(JSON.parse(Buffer.concat(pieces)).time));
      answer();
      return;
    }
    this.#held.add(answer);
    response.once('close', () => this.#held.delete(answer));
    if (request.url === '/slow') setTimeout(answer, SLOW_MS).unref();
  }
}

/** Begins the work at even times, whether or not the former has ended. @returns how often */
async function repeatEvenly(seconds, work) {
  /** @type {Promise<unknown>[]} */
  const begun = [];
  const startedAt = performance.now();
  const times = seconds * EVENTS_PER_SECOND;
  while (begun.length < times) {
    const dueAt = startedAt + (begun.length * 1000) / EVENTS_PER_SECOND;
    const waitMs = dueAt - performance.now();
    if (waitMs > 0) await pause(waitMs);
    begun.push(work());
  }
  await Promise.all(begun);
  return times;
}
