// Open WebSockets: the memory of each, and the time until an event of either instance has reached all readers.

import { once } from 'node:events';
import { WebSocket } from 'ws';
import { pause } from '../harness/lanes.mjs';
import { startService, UNLIMITED } from '../harness/service.mjs';
import { quantile } from '../harness/statistics.mjs';

const SOCKETS = 5_000;
const QUICK_SOCKETS = 100;
const OPENING_AT_ONCE = 50;
const EVENTS = 20;
const QUICK_EVENTS = 3;
/** The pause between two events, so that each finds idle instances. */
const PAUSE_MS = 250;
const SETTLE_MS = 3_000;
const DELIVERY_TIMEOUT_MS = 30_000;
const KILOBYTE = 1024;

/** @type {import('../harness/benchmark.mjs').Benchmark} */
export default {
  name: 'sockets',
  about: 'memory of 5,000 open WebSockets, and the delivery of events to all of them on two instances',
  async run({ server, quick, options, report }) {
    const count = Number(options.sockets ?? (quick ? QUICK_SOCKETS : SOCKETS));
    const database = await server.database('sockets');
    const environment = {
      ...database.environment,
      ...UNLIMITED,
      STREAMS_PER_USER: '10000',
      STREAMS_MAX: '10000',
    };
    const here = await startService(environment);
    const there = await startService(environment);
    const row = (id, name, value, unit) =>
      report.row({ id, name, unit, measure: { value, low: value, high: value } });
    const sockets = [];
    try {
      // The instances have different addresses, so each accepts only its own tokens.
      const token = await here.signInAdmin();
      const tokenThere = await there.signInAdmin();
      // The first sockets load code that later ones share.
      sockets.push(...(await openSockets(here.url, token, OPENING_AT_ONCE)));
      await pause(SETTLE_MS);
      const before = (await here.process.usage()).rssBytes;
      sockets.push(...(await openSockets(here.url, token, count)));
      await pause(SETTLE_MS);
      const grown = (await here.process.usage()).rssBytes - before;
      row('sockets.memory', `memory of each of ${count} idle sockets`, grown / count / KILOBYTE, 'kB');
      sockets.push(...(await openSockets(there.url, tokenThere, count)));
      const delays = await deliver(
        [
          { client: here.client, token },
          { client: there.client, token: tokenThere },
        ],
        { sockets, events: quick ? QUICK_EVENTS : EVENTS },
      );
      row(
        'sockets.delivery',
        `p99 of delivery to ${sockets.length} sockets on two instances`,
        quantile(delays, 0.99),
        'ms',
      );
      report.text(
        `delivered ${delays.length}, median ${quantile(delays, 0.5).toFixed(0)} ms, last ${quantile(delays, 1).toFixed(0)} ms`,
      );
    } finally {
      for (const socket of sockets) socket.terminate();
      await here.stop();
      await there.stop();
    }
  },
};

async function openSockets(url, token, count) {
  const opened = [];
  while (opened.length < count) {
    const some = Array.from({ length: Math.min(OPENING_AT_ONCE, count - opened.length) }, () =>
      open(url, token),
    );
    opened.push(...(await Promise.all(some)));
  }
  return opened;
}

async function open(url, token) {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/ws`, ['gatehouse.v1'], {
    headers: { authorization: `Bearer ${token}` },
    perMessageDeflate: false,
  });
  await once(socket, 'open');
  return socket;
}

/** Makes events on both instances in turn. @returns the ms from each request to each arrival */
async function deliver(instances, { sockets, events }) {
  const delays = [];
  let startedAt = 0;
  let missing = 0;
  let done = () => {};
  for (const socket of sockets) {
    socket.on('message', () => {
      delays.push(performance.now() - startedAt);
      if (--missing === 0) done();
    });
  }
  for (let n = 0; n < events; n++) {
    missing = sockets.length;
    const delivered = new Promise((resolve) => (done = resolve));
    startedAt = performance.now();
    const body = JSON.stringify({ name: `Name ${n}` });
    const { client, token } = instances[n % instances.length];
    await client.expect(200, 'PATCH', '/api/users/me', { token, body });
    await Promise.race([delivered, pause(DELIVERY_TIMEOUT_MS)]);
    if (missing > 0) throw new Error(`${missing} sockets did not receive the event`);
    await pause(PAUSE_MS);
  }
  return delays;
}
