import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { AppModule } from './app.module.js';
import { printBanner } from './platform/lifecycle/startup-banner.js';
import type { Config } from './config/config.js';
import { apiDescription } from './modules/api-description.js';
import { ErasureScheduler } from './modules/users/erasure/erasure.scheduler.js';
import { FirstAdministratorService } from './modules/users/first-start/first-administrator.service.js';
import { assertFirstStart } from './modules/users/first-start/assert-first-start.js';
import { migrate } from './platform/database/startup/migrate.js';
import type { OpenDatabase } from './platform/database/startup/open-database.js';
import { adaptToPooler } from './platform/database/startup/detect-pooler.js';
import { warnOfUnverifiedServers } from './platform/database/startup/server-identity.js';
import { ReadinessService } from './platform/health/readiness.service.js';
import { configureHttp } from './platform/http/configure-http.js';
import { ServiceAdapter } from './platform/http/server/service.adapter.js';
import type { FrontDoor } from './platform/lifecycle/front-door.server.js';
import { logUncaughtErrors, logProcessWarnings } from './platform/lifecycle/log-process-faults.js';
import { LifecycleService } from './platform/lifecycle/lifecycle.service.js';
import { stopOnSignals } from './platform/lifecycle/shutdown.js';
import { limitGarbage, releaseStartMemory } from './platform/lifecycle/start-memory.js';
import { lacksPretty } from './platform/logging/logger-options.js';
import { ServiceLogger } from './platform/logging/service.logger.js';
import { startWarnings } from './platform/logging/start.logger.js';
import { loadTemplates } from './platform/mail/read-templates.js';
import { MetricsRegistry } from './platform/metrics/metrics.registry.js';
import { serveDocumentation } from './platform/openapi/openapi.js';
import type { Start } from './platform/startup/start-service.js';

/**
 * Creates the whole service over a migrated database, without listening. Both the start and the tests use it.
 * With a `door` it takes over the server that already listens.
 */
export async function createApp(config: Config, door?: FrontDoor): Promise<NestExpressApplication> {
  const adapter = new ServiceAdapter(door ?? null);
  const app = await NestFactory.create<NestExpressApplication>(AppModule.with(config), adapter, {
    abortOnError: false,
    bodyParser: false,
    bufferLogs: true,
    // A failed start reports its error in one line, which earlier log lines would bury.
    autoFlushLogs: false,
    routeResolutionStrategy: 'specificity',
    routeConflictPolicy: { duplicate: 'error' },
  });
  app.useLogger(app.get(ServiceLogger));
  configureHttp(app, config);
  serveDocumentation(app, config, apiDescription);
  return app;
}

/** Starts the service on an open database and returns when it serves requests. */
export async function serve(start: Start): Promise<void> {
  const { database, door, signals } = start;
  const { close } = database;
  const config = await prepareDatabase(database);
  const app = await createApp(config, door);
  try {
    await app.init();
    await app.get(ErasureScheduler).eraseRestoredFromBackup();
    const administrator = await app.get(FirstAdministratorService).ensure();
    // Runs before the service accepts requests, because it blocks the process.
    releaseStartMemory();
    limitGarbage();
    const port = await door.open();
    signals.stop.throwIfAborted();
    door.admitTo(app.getHttpAdapter().getInstance());
    start.onServing();
    // createApp holds the log back until here. Without this line it would never appear.
    app.flushLogs();
    const logger = app.get(ServiceLogger);
    logUncaughtErrors(logger, close);
    stopOnSignals({ app, config, connections: door.connections, signals, last: close });
    app.get(LifecycleService).serve();
    for (const warning of start.warnings) logger.warn(warning);
    if (lacksPretty(config)) logger.warn('LOG_PRETTY needs the development packages; the log stays JSON');
    logger.log(`serving ${config.PUBLIC_URL}, listening on ${config.HOST} port ${port}`);
    start.health?.follow({ readiness: app.get(ReadinessService), metrics: app.get(MetricsRegistry) });
    printBanner(config, port, administrator);
  } catch (error) {
    // Closes the app's connections before the embedded server stops.
    await app.close();
    throw error;
  }
}

/** Applies pending migrations. @returns the configuration, adapted to a pooler in front of the database */
async function prepareDatabase({ config, embedded }: OpenDatabase): Promise<OpenDatabase['config']> {
  const warn = startWarnings(config);
  logProcessWarnings(warn);
  if (config.NODE_ENV === 'production' && !embedded) warnOfUnverifiedServers(config, warn);
  // Reports faulty templates before the start changes the database. `MailTemplates` reads them again.
  if (config.MAIL_TEMPLATES_DIR !== undefined) loadTemplates(config.MAIL_TEMPLATES_DIR);
  await assertFirstStart(config);
  await migrate(config, warn);
  return embedded ? config : adaptToPooler(config, warn);
}
