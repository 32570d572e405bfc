import { type Config, readConfig } from '../../config/config.js';
import { processEnvironment } from '../../config/environment.js';
import { prepareMailFolder } from '../../config/prepare-folders.js';
import { localUrl } from '../../config/public-url.js';
import { configWarnings } from '../../config/config-warnings.js';
import { awaitConfiguredDatabase } from '../database/startup/await-database.js';
import { answerWhileStarting } from '../health/answer-while-starting.js';
import { HealthListener } from '../health/health.listener.js';
import { openDatabase, type OpenDatabase } from '../database/startup/open-database.js';
import type { EmbeddedNotice } from '../embedded-postgres/embedded-postgres.js';
import { FrontDoor } from '../lifecycle/front-door.server.js';
import { ProcessSignals } from '../lifecycle/process-signals.listener.js';
import { describeStartFailure } from '../lifecycle/describe-start-failure.js';

/** The parts of a running start that the application takes over. */
export interface Start {
  readonly database: OpenDatabase;
  readonly door: FrontDoor;
  /** Null without HEALTH_PORT. */
  readonly health: HealthListener | null;
  readonly signals: ProcessSignals;
  /** Warnings about settings that are probably not intended. */
  readonly warnings: readonly string[];
  /** Called once the service can shut down gracefully. */
  readonly onServing: () => void;
}

interface Application {
  readonly serve: (start: Start) => Promise<void>;
}

/**
 * Starts the service. An error that an operator can fix ends the process with one line and exit code 1.
 * @param loadApplication imports the application
 */
export async function startService(loadApplication: () => Promise<Application>): Promise<void> {
  const environment = processEnvironment();
  const signals = new ProcessSignals({ production: environment['NODE_ENV'] === 'production' });
  let opening: Promise<OpenDatabase> | null = null;
  const end = async (error: unknown): Promise<never> => {
    // An error caused by stopping the start is not a failure.
    const { aborted } = signals.stop;
    if (!aborted) process.stderr.write(`${describeStartFailure(error)}\n`);
    await closeDatabase(opening);
    // Exits explicitly, because a half-started service keeps sockets and timers open.
    process.exit(aborted ? 0 : 1);
  };
  // Until the service can shut down gracefully, any end of the process only has to close the database.
  const onEnd = (error: unknown) => void end(error);
  signals.stop.addEventListener('abort', onEnd);
  process.on('uncaughtException', onEnd);
  const onServing = (): void => {
    signals.stop.removeEventListener('abort', onEnd);
    process.off('uncaughtException', onEnd);
  };
  try {
    const config = readConfig(environment);
    await prepareMailFolder(config);
    const health = await HealthListener.open(config);
    // Loading the application takes about as long as starting the database, so both run in parallel.
    const application = loadApplication();
    // The error surfaces where the promise is awaited.
    application.catch(() => {});
    const door = new FrontDoor(config, answerWhileStarting);
    opening = openDatabase(await withPublicUrl(config, door), await embeddedNotice(config));
    const database = await opening;
    await awaitDatabase(config, door, signals.stop);
    const { serve } = await application;
    const warnings = configWarnings(database.config, environment);
    await serve({ database, door, health, signals, warnings, onServing });
  } catch (error) {
    await end(error);
  }
}

/**
 * Closes the database. Waits for an embedded server that is still starting, because it would keep running.
 */
async function closeDatabase(opening: Promise<OpenDatabase> | null): Promise<void> {
  try {
    await (await opening)?.close();
  } catch {
    // The database did not open, and the start has already reported why.
  }
}

/**
 * Sends reports of the embedded server to the log in production, and as plain text to a terminal otherwise.
 */
async function embeddedNotice(config: Config): Promise<EmbeddedNotice | undefined> {
  if (config.NODE_ENV !== 'production' || config.DATABASE_URL !== undefined) return undefined;
  const { startLogger } = await import('../logging/start.logger.js');
  return (message, level) => startLogger(config)[level ?? 'info']({ context: 'EmbeddedPostgres' }, message);
}

/**
 * Sets PUBLIC_URL if the system chooses the port, because the address is only known once the port is open.
 */
async function withPublicUrl(config: Config, door: FrontDoor): Promise<Config> {
  if (config.PUBLIC_URL !== localUrl(config.HOST, 0)) return config;
  return Object.freeze({ ...config, PUBLIC_URL: localUrl(config.HOST, await door.open()) });
}

/** Waits for the database. Meanwhile, probes report that the service has not started. */
function awaitDatabase(config: Config, door: FrontDoor, signal: AbortSignal): Promise<void> {
  return awaitConfiguredDatabase(config, signal, (reason) => {
    // If the port is taken, the service reports it when it calls this again.
    door.open().catch(() => {});
    void import('../logging/start.logger.js').then(({ startLogger }) =>
      startLogger(config).warn(`waiting for the database: ${reason}`),
    );
  });
}
