// The time until a changed feature flag holds on two instances, at rest and under load.

import { Client } from '../harness/client.mjs';
import { pause } from '../harness/lanes.mjs';
import { sendLoad } from '../harness/load.mjs';
import { startService } from '../harness/service.mjs';
import { quantile } from '../harness/statistics.mjs';

const FLIPS = 100;
const QUICK_FLIPS = 5;
const LOAD_SECONDS = 10;
const QUICK_LOAD_SECONDS = 1;
/** The connections that load each instance. */
const CONNECTIONS = 16;
const LOOK_EVERY_MS = 1;
const FLAG = 'webhooks';
const EVALUATE = `/ofrep/v1/evaluate/flags/${FLAG}`;

/** @type {import('../harness/benchmark.mjs').Benchmark} */
export default {
  name: 'flags',
  about: 'time until a changed feature flag holds on two instances',
  async run({ server, quick, report }) {
    const database = await server.database('flags');
    const instances = [];
    try {
      for (let n = 0; n < 2; n++) instances.push(await startInstance(database));
      let value = true;
      const flips = { left: quick ? QUICK_FLIPS : FLIPS };
      const atRest = await flipWhile(
        instances,
        () => flips.left-- > 0,
        () => (value = !value),
      );
      row(report, { id: 'flags.flip', when: 'at rest', times: atRest });
      let loaded = true;
      const seconds = quick ? QUICK_LOAD_SECONDS : LOAD_SECONDS;
      const loads = Promise.all(
        instances.map(({ service, token }) =>
          sendLoad(service.url, {
            requests: [{ path: '/api/users/me', token }],
            connections: CONNECTIONS,
            seconds,
          }),
        ),
      ).finally(() => (loaded = false));
      const underLoad = await flipWhile(
        instances,
        () => loaded,
        () => (value = !value),
      );
      await loads;
      row(report, {
        id: 'flags.flip.loaded',
        when: `beside ${CONNECTIONS} busy connections each`,
        times: underLoad,
      });
    } finally {
      for (const { client, service } of instances) {
        client.close();
        await service.stop();
      }
    }
  },
};

/** The instances have different addresses, so each accepts only its own tokens. */
async function startInstance(database) {
  const service = await startService(database.environment);
  const token = await service.signInAdmin();
  const me = JSON.parse((await service.client.expect(200, 'GET', '/api/users/me', { token })).body);
  return { service, client: new Client(service.url), token, userId: me.id };
}

/**
 * Changes the flag on the first instance again and again.
 * @returns {Promise<number[]>} the ms from the response to a change until both instances have answered the new value
 */
async function flipWhile(instances, condition, nextValue) {
  const times = [];
  const [{ client, token }] = instances;
  while (condition()) {
    const enabled = nextValue();
    await client.expect(200, 'PUT', `/api/flags/${FLAG}`, { token, body: JSON.stringify({ enabled }) });
    const answeredAt = performance.now();
    await Promise.all(instances.map((each) => shows(each, enabled)));
    times.push(performance.now() - answeredAt);
  }
  return times;
}

/** Asks until the instance answers that value. */
async function shows({ client, token, userId }, value) {
  const body = JSON.stringify({ context: { targetingKey: userId } });
  for (;;) {
    const answer = await client.expect(200, 'POST', EVALUATE, { token, body });
    if (JSON.parse(answer.body).value === value) return;
    await pause(LOOK_EVERY_MS);
  }
}

function row(report, { id, when, times }) {
  const [low, middle, high] = [0, 0.5, 1].map((share) => quantile(times, share));
  report.row({
    id,
    name: `the slowest of ${times.length} flips of a flag until two instances show it, ${when}`,
    unit: 'ms',
    measure: { value: high, low, high },
  });
  report.text(`${when}: median ${middle.toFixed(1)} ms, slowest ${high.toFixed(1)} ms`);
}
