import { readConfig } from '../../config/config.js';
import { awaitConfiguredDatabase } from '../database/await-database.js';
import { type OpenDatabase, openDatabase } from '../database/open-database.js';
import { ProcessSignals } from './process-signals.js';
import { startFailure } from './start-failure.js';

/** Signals end the process only after it has left the embedded server, which would run on. */
export function leaveOnSignals(signals: ProcessSignals, database: OpenDatabase): void {
  const leave = () => void database.close().finally(() => process.exit(1));
  if (signals.stop.aborted) leave();
  else signals.stop.addEventListener('abort', leave);
}

/** Runs a command of an operator over the configured database. A failure is one line and exit code 1. */
export async function runCommand(work: (config: OpenDatabase['config']) => Promise<void>): Promise<void> {
  try {
    const signals = new ProcessSignals({ production: true });
    const config = readConfig();
    const database = await openDatabase(config);
    leaveOnSignals(signals, database);
    try {
      await awaitConfiguredDatabase(config, signals.stop, sayWaiting);
      await work(database.config);
    } finally {
      await database.close();
    }
  } catch (error) {
    process.stderr.write(`${startFailure(error)}\n`);
    // What had been opened by then may keep the process alive.
    process.exit(1);
  }
}

const sayWaiting = (reason: string): void => {
  process.stderr.write(`waiting for the database: ${reason}\n`);
};
