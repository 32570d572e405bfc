import type { NestExpressApplication } from '@nestjs/platform-express';
import { createApp } from './bootstrap.js';
import { type Config, readConfig } from './config/config.js';
import { FirstAdministrator } from './modules/users/first-administrator.js';
import { openDatabase, type OpenDatabase } from './platform/database/open-database.js';
import { migrate } from './platform/database/migrate.js';
import { announce } from './platform/lifecycle/banner.js';
import { Lifecycle } from './platform/lifecycle/lifecycle.js';
import { stopOnSignals } from './platform/lifecycle/shutdown.js';
import { releaseStartMemory } from './platform/lifecycle/start-memory.js';
import { startFailure } from './platform/lifecycle/start-failure.js';

/** Brings the service up. A fault that a person can mend ends it with one line and exit code 1. */
export async function start(): Promise<void> {
  let database: OpenDatabase | null = null;
  try {
    const config = readConfig();
    database = await openDatabase(config);
    await serve(database.config, database);
  } catch (error) {
    process.stderr.write(`${startFailure(error)}\n`);
    await database?.close();
    process.exit(1);
  }
}

async function serve(config: Config, database: OpenDatabase): Promise<void> {
  await migrate(config.MIGRATION_DATABASE_URL ?? config.DATABASE_URL ?? '');
  const app = await createApp(config);
  await app.init();
  const administrator = await app.get(FirstAdministrator).ensure();
  stopOnSignals(app, config, () => database.close());
  // Before anybody can be kept waiting by it.
  releaseStartMemory();
  await app.listen(config.PORT, config.HOST);
  app.get(Lifecycle).serve();
  announce({ config, address: await addressOf(app), administrator });
}

/** The address as it came out: PORT=0 takes whatever is free. */
const addressOf = (app: NestExpressApplication): Promise<string> => app.getUrl();
