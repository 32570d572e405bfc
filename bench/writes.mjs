// `npm run bench:writes`: the cost of a user change with its event and audit entry, compared with the same
// change without them, in turns in one run.

import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { CommandBus } from '@nestjs/cqrs';
import { createApp } from '../dist/src/app.js';
import { readConfig } from '../dist/src/config/config.js';
import { CreateFirstAdministrator } from '../dist/src/modules/users/commands/create-first-administrator.command.js';
import { UpdateUser } from '../dist/src/modules/users/commands/update-user.command.js';
import { AuditLog } from '../dist/src/platform/audit-log/audit-log.service.js';
import { joinEmbeddedPostgres } from '../dist/src/platform/embedded-postgres/embedded-postgres.js';
import { migrate } from '../dist/src/platform/database/startup/migrate.js';
import { EventStore } from '../dist/src/platform/event-store/event-store.js';
import { median, table } from './service.mjs';

const ROUNDS = Number(process.env.ROUNDS ?? 10);
const WRITES = 500;
const MAX_RATIO = 2.0;

const dataDir = await mkdtemp(join(tmpdir(), 'gatehouse-bench-'));
const embedded = await joinEmbeddedPostgres({ dataDir, notice: () => {} });
const { url: DATABASE_URL, ownerUrl: MIGRATION_DATABASE_URL } = embedded.urls;
await migrate({ DATABASE_URL, MIGRATION_DATABASE_URL });
const app = await createApp(readConfig({ DATABASE_URL, LOG_LEVEL: 'silent', DATA_DIR: dataDir }));
try {
  await app.init();
  const commands = app.get(CommandBus);
  const history = switchable(app.get(EventStore), 'append');
  const trail = switchable(app.get(AuditLog), 'record');
  const user = await commands.execute(
    new CreateFirstAdministrator({ email: 'a@example.com', name: 'A', password: 'correct horse battery' }),
  );
  const caller = { userId: user.id, sessionId: user.id, roles: [], permissions: new Set() };
  let turn = 0;
  const change = () => commands.execute(new UpdateUser(user.id, { name: `Name ${turn++}` }, caller, null));
  const timed = async (on) => {
    history(on);
    trail(on);
    const started = performance.now();
    for (let n = 0; n < WRITES; n++) await change();
    return (performance.now() - started) / WRITES;
  };
  await timed(true);
  const rounds = [];
  for (let round = 0; round < ROUNDS; round++) rounds.push([await timed(false), await timed(true)]);
  const ratio = median(rounds.map(([without, along]) => along / without));
  process.stdout.write(
    `Node ${process.versions.node}, ${availableParallelism()} cores, ${ROUNDS} rounds of ${WRITES} sequential name changes\n\n` +
      `${table([
        ['', 'median ms a change'],
        ['row alone', median(rounds.map(([without]) => without)).toFixed(2)],
        ['with its event and its audit entry', median(rounds.map(([, along]) => along)).toFixed(2)],
      ])}\n\nratio (median of the rounds): ${ratio.toFixed(2)}, required: at most ${MAX_RATIO.toFixed(1)}${ratio > MAX_RATIO ? ' !' : ''}\n`,
  );
  if (ratio > MAX_RATIO) process.exitCode = 1;
} finally {
  await app.close();
  await embedded.leave();
  await rm(dataDir, { recursive: true, force: true });
}

/** Returns a function that turns the service's method off and on. */
function switchable(service, method) {
  const original = service[method].bind(service);
  return (on) => {
    service[method] = on ? original : async () => {};
  };
}
