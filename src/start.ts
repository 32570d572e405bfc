import { createApp } from './bootstrap.js';
import { readConfig } from './config/config.js';
import { FirstAdministrator } from './modules/users/first-administrator.js';
import { migrate } from './platform/database/migrate.js';
import { openDatabase, type OpenDatabase } from './platform/database/open-database.js';
import { announce } from './banner.js';
import { logWhatNobodyCaught } from './platform/lifecycle/last-resort.js';
import { Lifecycle } from './platform/lifecycle/lifecycle.js';
import { stopOnSignals } from './platform/lifecycle/shutdown.js';
import { releaseStartMemory } from './platform/lifecycle/start-memory.js';
import { startFailure } from './platform/lifecycle/start-failure.js';
import { ServiceLogger } from './platform/logging/service-logger.js';

/** Brings the service up. A fault that a person can mend ends it with one line and exit code 1. */
export async function start(): Promise<void> {
  let database: OpenDatabase | null = null;
  // Until the service can stop in order, a signal only has the database to leave.
  const giveUp = () => void Promise.resolve(database?.close()).then(() => process.exit(0));
  process.once('SIGTERM', giveUp).once('SIGINT', giveUp);
  try {
    const config = readConfig();
    database = await openDatabase(config);
    await serve(database, () => process.off('SIGTERM', giveUp).off('SIGINT', giveUp));
  } catch (error) {
    process.stderr.write(`${startFailure(error)}\n`);
    await database?.close();
    process.exit(1);
  }
}

async function serve({ config, close }: OpenDatabase, onServing: () => void): Promise<void> {
  await migrate(config.MIGRATION_DATABASE_URL ?? config.DATABASE_URL);
  const app = await createApp(config);
  try {
    await app.init();
    const administrator = await app.get(FirstAdministrator).ensure();
    // Before anybody can be kept waiting by it.
    releaseStartMemory();
    await app.listen(config.PORT, config.HOST);
    onServing();
    // Until here the log was held back (see createApp); without this it would be for ever.
    app.flushLogs();
    logWhatNobodyCaught(app.get(ServiceLogger));
    stopOnSignals(app, config, close);
    app.get(Lifecycle).serve();
    announce({ config, address: await app.getUrl(), administrator });
  } catch (error) {
    // Its connections must be gone before the embedded server stops.
    await app.close();
    throw error;
  }
}
