import { readConfig } from './config/config.js';
import { HealthListener } from './platform/health/health-listener.js';
import { openDatabase, type OpenDatabase } from './platform/database/open-database.js';
import { startFailure } from './platform/lifecycle/start-failure.js';

/** Brings the service up. A fault that a person can mend ends it with one line and exit code 1. */
export async function start(): Promise<void> {
  let database: OpenDatabase | null = null;
  // Until the service can stop in order, a signal only has the database to leave.
  const giveUp = () => void Promise.resolve(database?.close()).then(() => process.exit(0));
  process.once('SIGTERM', giveUp).once('SIGINT', giveUp);
  try {
    const config = readConfig();
    const health = await HealthListener.open(config);
    // To load the service takes about as long as to start the database: they go side by side.
    const service = import('./serve.js');
    // Its failure is told where it is awaited.
    service.catch(() => {});
    database = await openDatabase(config);
    const { serve } = await service;
    await serve(database, health, () => process.off('SIGTERM', giveUp).off('SIGINT', giveUp));
  } catch (error) {
    process.stderr.write(`${startFailure(error)}\n`);
    await database?.close();
    process.exit(1);
  }
}
