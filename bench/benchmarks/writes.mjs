// Writes beside bare pg loops that send the same statements, and a change beside itself without its event and its
// audit entry.

import { CommandBus } from '@nestjs/cqrs';
import pg from 'pg';
import { createApp } from '../../dist/src/app.js';
import { readConfig } from '../../dist/src/config/config.js';
import { UpdateUser } from '../../dist/src/modules/users/commands/update-user.command.js';
import { AuditLog } from '../../dist/src/platform/audit-log/audit-log.service.js';
import { EventStore } from '../../dist/src/platform/event-store/event-store.js';
import { Client } from '../harness/client.mjs';
import { addAccounts, sql } from '../harness/database.mjs';
import { ratePerSecond, repeat } from '../harness/lanes.mjs';
import { startService } from '../harness/service.mjs';
import { median, ratio, summarize } from '../harness/statistics.mjs';
import { format, table } from '../harness/table.mjs';
import { BareLane } from '../peers/statements.mjs';

const LANES = 8;
/**
 * Requests before the measurement, after which V8 has optimized the hot code and each connection has planned its
 * statements. A number and not a time, because a slow machine needs as many of them as a fast one.
 */
const WARM_UP = 3_000;
const QUICK_WARM_UP = 500;
const WRITES = 500;
const QUICK_WRITES = 30;

/** @type {import('../harness/benchmark.mjs').Benchmark} */
export default {
  name: 'writes',
  about:
    'refresh and PATCH me beside the same statements in a bare pg loop; a change with and without its event',
  async run(context) {
    const database = await context.server.database('writes');
    await besideBareLoops(database, context);
    await withAndWithoutEvents(database, context);
  },
};

async function besideBareLoops(database, { quick, rounds, report }) {
  const service = await startService(database.environment);
  const client = new Client(service.url, { maxSockets: LANES });
  const connections = [];
  try {
    const sessions = await openSessions(service, await addAccounts(database.url, LANES));
    const lanes = [];
    for (const account of await addAccounts(database.url, LANES)) {
      const connection = new pg.Client({ connectionString: database.environment.DATABASE_URL });
      await connection.connect();
      connections.push(connection);
      const [{ hash }] = await sql(database.url, 'SELECT password_hash AS hash FROM users WHERE id = $1', [
        account.id,
      ]);
      const lane = new BareLane(connection, { ...account, passwordHash: hash });
      await lane.signIn();
      lanes.push(lane);
    }
    const works = {
      refresh: { ours: (n) => refresh(client, sessions[n]), bare: (n) => lanes[n].refresh() },
      patch: { ours: (n) => rename(client, sessions[n]), bare: (n) => lanes[n].rename() },
    };
    const options = { lanes: LANES, ms: quick ? 500 : 3_000 };
    const names = { refresh: 'POST /api/auth/refresh', patch: 'PATCH /api/users/me' };
    const cells = [];
    for (const [name, { ours, bare }] of Object.entries(works)) {
      const rates = { ours: [], bare: [], micros: [] };
      const warmUp = { lanes: LANES, times: quick ? QUICK_WARM_UP : WARM_UP };
      await repeat(warmUp, bare);
      await repeat(warmUp, ours);
      for (let round = 0; round < rounds; round++) {
        rates.bare.push(await ratePerSecond(options, bare));
        const before = await service.process.usage();
        let done = 0;
        rates.ours.push(await ratePerSecond(options, (n) => ours(n).then(() => done++)));
        rates.micros.push(((await service.process.usage()).cpuMicros - before.cpuMicros) / done);
      }
      report.row({
        id: `${name}.share`,
        name: `${names[name]} ÷ its statements in a bare pg loop`,
        unit: '×',
        measure: ratio(rates.ours, rates.bare),
      });
      cells.push([names[name], ...[rates.ours, rates.bare, rates.micros].map((all) => format(median(all)))]);
    }
    report.text(
      table([[`${LANES} lanes`, 'per second', 'bare loop per second', 'CPU µs of the service'], ...cells]),
    );
  } finally {
    for (const connection of connections) await connection.end();
    client.close();
    await service.stop();
  }
}

async function openSessions(service, accounts) {
  const sessions = [];
  for (const account of accounts) sessions.push({ ...(await service.signIn(account)), turn: 0 });
  return sessions;
}

async function refresh(client, session) {
  const body = JSON.stringify({ refresh_token: session.refresh_token });
  Object.assign(session, JSON.parse((await client.expect(200, 'POST', '/api/auth/refresh', { body })).body));
}

async function rename(client, session) {
  const body = JSON.stringify({ name: `Name ${(session.turn += 1)}` });
  await client.expect(200, 'PATCH', '/api/users/me', { token: session.access_token, body });
}

/** Runs the application in this process, where its event store and its audit log can be turned off. */
async function withAndWithoutEvents(database, { quick, rounds, report }) {
  const app = await createApp(readConfig({ ...database.environment, LOG_LEVEL: 'silent' }));
  try {
    await app.init();
    const commands = app.get(CommandBus);
    const switches = [switchable(app.get(EventStore), 'append'), switchable(app.get(AuditLog), 'record')];
    const [{ id }] = await addAccounts(database.url, 1);
    const caller = { userId: id, sessionId: id, roles: [], permissions: new Set() };
    let turn = 0;
    const writes = quick ? QUICK_WRITES : WRITES;
    const timed = async (on) => {
      for (const set of switches) set(on);
      const started = performance.now();
      for (let n = 0; n < writes; n++) {
        await commands.execute(new UpdateUser(id, { name: `Name ${turn++}` }, caller, null));
      }
      return (performance.now() - started) / writes;
    };
    await timed(true);
    const [without, along] = [[], []];
    for (let round = 0; round < rounds; round++) {
      without.push(await timed(false));
      along.push(await timed(true));
    }
    const name = 'a change with its event and audit entry ÷ without';
    report.row({ id: 'change.ratio', name, unit: '×', measure: ratio(along, without) });
    const cells = Object.entries({ 'the row alone': without, 'with its event and audit entry': along });
    report.text(
      table([
        ['sequential changes', 'ms'],
        ...cells.map(([label, all]) => [label, format(summarize(all).value)]),
      ]),
    );
  } finally {
    await app.close();
  }
}

/** Returns a function that turns the service's method off and on. */
function switchable(service, method) {
  const original = service[method].bind(service);
  return (on) => {
    service[method] = on ? original : async () => {};
  };
}
