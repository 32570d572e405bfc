import { type Config, readConfig } from './config/config.js';
import { processEnvironment } from './config/environment.js';
import { prepareMailFolder } from './config/folders.js';
import { localUrl } from './config/public-url.js';
import { configWarnings } from './config/warnings.js';
import { awaitConfiguredDatabase } from './platform/database/await-database.js';
import { HealthListener } from './platform/health/health-listener.js';
import { openDatabase, type OpenDatabase } from './platform/database/open-database.js';
import type { EmbeddedNotice } from './platform/database/embedded/embedded-postgres.js';
import { FrontDoor } from './platform/lifecycle/front-door.js';
import { ProcessSignals } from './platform/lifecycle/process-signals.js';
import { startFailure } from './platform/lifecycle/start-failure.js';

/** Brings the service up. A fault that a person can mend ends it with one line and exit code 1. */
export async function start(): Promise<void> {
  const environment = processEnvironment();
  const signals = new ProcessSignals({ production: environment['NODE_ENV'] === 'production' });
  let opening: Promise<OpenDatabase> | null = null;
  const end = async (error: unknown): Promise<never> => {
    // What fails because the start is stopped is no fault.
    const { aborted } = signals.stop;
    if (!aborted) process.stderr.write(`${startFailure(error)}\n`);
    await leave(opening);
    process.exit(aborted ? 0 : 1);
  };
  // Until the service can stop in order, whatever ends the process only has the database to leave.
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
    // To load the service takes about as long as to start the database: they go side by side.
    const service = import('./serve.js');
    // Its failure is told where it is awaited.
    service.catch(() => {});
    const door = new FrontDoor(config);
    opening = openDatabase(await withPublicUrl(config, door), await embeddedNotice(config));
    const database = await opening;
    await awaitDatabase(config, door, signals.stop);
    const { serve } = await service;
    const warnings = configWarnings(database.config, environment);
    await serve({ database, door, health, signals, warnings, onServing });
  } catch (error) {
    await end(error);
  }
}

/** A server that is just being started would run on: it is waited for. */
async function leave(opening: Promise<OpenDatabase> | null): Promise<void> {
  try {
    await (await opening)?.close();
  } catch {
    // It did not open, and whoever opened it has said why.
  }
}

/** Reports of the embedded server are lines of the log in production; a person at a terminal reads them as they are. */
async function embeddedNotice(config: Config): Promise<EmbeddedNotice | undefined> {
  if (config.NODE_ENV !== 'production' || config.DATABASE_URL !== undefined) return undefined;
  const { startLogger } = await import('./platform/logging/start-logger.js');
  return (message, level) => startLogger(config)[level ?? 'info']({ context: 'EmbeddedPostgres' }, message);
}

/** Of a port that the system chooses the address is known when the port is open. */
async function withPublicUrl(config: Config, door: FrontDoor): Promise<Config> {
  if (config.PUBLIC_URL !== localUrl(config.HOST, 0)) return config;
  return Object.freeze({ ...config, PUBLIC_URL: localUrl(config.HOST, await door.open()) });
}

/** While it waits, probes are told that the service has not started. */
function awaitDatabase(config: Config, door: FrontDoor, signal: AbortSignal): Promise<void> {
  return awaitConfiguredDatabase(config, signal, (reason) => {
    // When the port is taken, the service that joins this call says so.
    door.open().catch(() => {});
    void import('./platform/logging/start-logger.js').then(({ startLogger }) =>
      startLogger(config).warn(`waiting for the database: ${reason}`),
    );
  });
}
