import { readConfig } from '../config/config.js';
import { awaitConfiguredDatabase } from '../platform/database/startup/await-database.js';
import { type OpenDatabase, openDatabase } from '../platform/database/startup/open-database.js';
import { ProcessSignals } from '../platform/lifecycle/process-signals.listener.js';
import { describeStartFailure } from '../platform/lifecycle/describe-start-failure.js';

/**
 * Leaves the embedded server before a signal ends the process, because the server would otherwise keep
 * running. First waits for what `finish` returns.
 */
export function closeOnSignals(
  signals: ProcessSignals,
  database: OpenDatabase,
  finish: () => Promise<unknown> = async () => {},
): void {
  // Exits explicitly, because the command may still be waiting for the database and would go on.
  const leave = () =>
    void finish()
      .catch(() => undefined)
      .then(() => database.close())
      .finally(() => process.exit(1));
  if (signals.stop.aborted) leave();
  else signals.stop.addEventListener('abort', leave);
}

interface CommandOptions {
  /** Begins the line that reports a failure. */
  readonly failure?: string;
  /** True if the command itself ends, and cleans up, when its signal aborts. */
  readonly cleansUp?: boolean;
}

/** Runs an operator's command on the configured database. A failure prints one line and exits with code 1. */
export async function runCommand(
  work: (config: OpenDatabase['config'], signal: AbortSignal) => Promise<void>,
  { failure, cleansUp = false }: CommandOptions = {},
): Promise<void> {
  try {
    const signals = new ProcessSignals({ production: true });
    const config = readConfig();
    const database = await openDatabase(config);
    let running: Promise<void> = Promise.resolve();
    closeOnSignals(signals, database, async () => {
      if (cleansUp) await running;
    });
    try {
      await awaitConfiguredDatabase(config, signals.stop, reportWaiting);
      running = work(database.config, signals.stop);
      await running;
    } finally {
      await database.close();
    }
  } catch (error) {
    process.stderr.write(`${describeStartFailure(error, failure)}\n`);
    // Resources opened so far may keep the process alive.
    process.exit(1);
  }
}

const reportWaiting = (reason: string): void => {
  process.stderr.write(`waiting for the database: ${reason}\n`);
};
