import { readConfig } from '../config/config.js';
import { awaitConfiguredDatabase } from '../platform/database/startup/await-database.js';
import { type OpenDatabase, openDatabase } from '../platform/database/startup/open-database.js';
import { ProcessSignals } from '../platform/lifecycle/process-signals.listener.js';
import { describeStartFailure } from '../platform/lifecycle/describe-start-failure.js';

/**
 * Leaves the embedded server before a signal ends the process, because the server would otherwise keep
 * running.
 */
export function closeOnSignals(signals: ProcessSignals, database: OpenDatabase): void {
  // Exits explicitly, because the command may still be waiting for the database and would go on.
  const leave = () => void database.close().finally(() => process.exit(1));
  if (signals.stop.aborted) leave();
  else signals.stop.addEventListener('abort', leave);
}

/** Runs an operator's command on the configured database. A failure prints one line and exits with code 1. */
export async function runCommand(work: (config: OpenDatabase['config']) => Promise<void>): Promise<void> {
  try {
    const signals = new ProcessSignals({ production: true });
    const config = readConfig();
    const database = await openDatabase(config);
    closeOnSignals(signals, database);
    try {
      await awaitConfiguredDatabase(config, signals.stop, reportWaiting);
      await work(database.config);
    } finally {
      await database.close();
    }
  } catch (error) {
    process.stderr.write(`${describeStartFailure(error)}\n`);
    // Resources opened so far may keep the process alive.
    process.exit(1);
  }
}

const reportWaiting = (reason: string): void => {
  process.stderr.write(`waiting for the database: ${reason}\n`);
};
