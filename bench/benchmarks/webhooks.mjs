// Deliveries of webhooks beside a bare undici loop that sends requests of the same size to the same receiver.

import { createHmac, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { Pool } from 'undici';
import { sql } from '../harness/database.mjs';
import { pause, repeat, secondsOf } from '../harness/lanes.mjs';
import { MeasuredProcess } from '../harness/processes.mjs';
import { startService } from '../harness/service.mjs';
import { median, ratio } from '../harness/statistics.mjs';
import { format, table } from '../harness/table.mjs';

const RECEIVER = join(import.meta.dirname, '../peers/receiver.mjs');
const ANNOUNCEMENT = /^listening on (\S+)$/m;
const EVENTS = 5_000;
const QUICK_EVENTS = 300;
/** The number of requests in progress, the same as the service has to one receiver. */
const LANES = 10;
const LOOK_EVERY_MS = 5;

/** @type {import('../harness/benchmark.mjs').Benchmark} */
export default {
  name: 'webhooks',
  about: 'deliveries of webhooks beside a bare undici loop to the same receiver',
  async run({ server, quick, rounds, report }) {
    const events = quick ? QUICK_EVENTS : EVENTS;
    const database = await server.database('webhooks');
    const service = await startService({ ...database.environment, OUTBOUND_ALLOW_PRIVATE: 'true' });
    const receiver = await MeasuredProcess.start(RECEIVER, { environment: {}, announcement: ANNOUNCEMENT });
    const pool = new Pool(receiver.url, { connections: LANES, pipelining: 1 });
    try {
      const token = await service.signInAdmin();
      const call = async (status, method, path, body) =>
        (await service.client.expect(status, method, path, { token, body: JSON.stringify(body) })).body;
      const since = new Date().toISOString();
      await importUsers(service, token, events);
      const hook = await call(201, 'POST', '/api/webhooks', {
        url: `${receiver.url}/`,
        types: ['user.created'],
      });
      const path = `/api/webhooks/${JSON.parse(hook).id}`;
      const body = JSON.stringify((await firstEvent(service, token)) ?? {});
      const rates = { ours: [], bare: [], micros: [] };
      // The first round warms up.
      for (let round = -1; round < rounds; round++) {
        const bare = await secondsOf(() => sendAll(pool, body, events));
        await call(200, 'PATCH', path, { status: 'paused' });
        await call(202, 'POST', `${path}/replay`, { from: since, to: new Date().toISOString() });
        await until(async () => (await pendingIn(database)) === events);
        const before = await service.process.usage();
        const target = (await countOf(pool)) + events;
        const ours = await secondsOf(async () => {
          await call(200, 'PATCH', path, { status: 'active' });
          await until(async () => (await countOf(pool)) >= target);
        });
        const { cpuMicros } = await service.process.usage();
        await until(async () => (await pendingIn(database)) === 0);
        if (round < 0) continue;
        rates.bare.push(events / bare);
        rates.ours.push(events / ours);
        rates.micros.push((cpuMicros - before.cpuMicros) / events);
      }
      report.row({
        id: 'webhooks.share',
        name: 'deliveries of webhooks ÷ a bare undici loop',
        unit: '×',
        measure: ratio(rates.ours, rates.bare),
      });
      report.text(
        table([
          [`${events} events`, 'per second', 'bare loop per second', 'CPU µs of the service'],
          ['deliveries', ...[rates.ours, rates.bare, rates.micros].map((all) => format(median(all)))],
        ]),
      );
    } finally {
      await pool.close();
      await service.stop();
      await receiver.stop();
    }
  },
};

/** Imports users, each with an event `user.created`. */
export async function importUsers(service, token, count) {
  const rows = Array.from({ length: count }, (_, n) =>
    JSON.stringify({ email: `person-${n}@webhooks.example`, name: `Person ${n}` }),
  );
  const answer = await fetch(`${service.url}/api/users/import`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/x-ndjson' },
    body: `${rows.join('\n')}\n`,
  });
  const { id } = await answer.json();
  await until(async () => {
    const job = await service.client.expect(200, 'GET', `/api/jobs/${id}`, { token });
    return JSON.parse(job.body).finished_at !== null;
  });
}

async function firstEvent(service, token) {
  const answer = await service.client.expect(200, 'GET', '/api/events?type=user.created&limit=1', { token });
  return JSON.parse(answer.body)[0];
}

/** Sends signed requests, as many at once as the service does. */
async function sendAll(pool, body, times) {
  const key = randomBytes(32);
  await repeat({ lanes: LANES, times }, async () => {
    const timestamp = Math.floor(Date.now() / 1000);
    const signature = createHmac('sha256', key).update(`bench.${timestamp}.${body}`).digest('base64');
    const headers = {
      'content-type': 'application/json',
      'webhook-id': 'bench',
      'webhook-timestamp': String(timestamp),
      'webhook-signature': `v1,${signature}`,
    };
    const answer = await pool.request({ method: 'POST', path: '/', headers, body });
    await answer.body.dump();
    if (answer.statusCode !== 204) throw new Error(`the receiver answered ${answer.statusCode}`);
  });
}

async function countOf(pool) {
  const answer = await pool.request({ method: 'GET', path: '/' });
  return Number(await answer.body.text());
}

async function pendingIn(database) {
  const [{ pending }] = await sql(
    database.url,
    `SELECT count(*)::integer AS pending FROM webhook_deliveries WHERE status = 'pending'`,
  );
  return pending;
}

export async function until(condition) {
  while (!(await condition())) await pause(LOOK_EVERY_MS);
}
