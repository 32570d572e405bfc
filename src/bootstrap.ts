import { NestFactory } from '@nestjs/core';
import { ExpressAdapter, type NestExpressApplication } from '@nestjs/platform-express';
import { AppModule } from './app.module.js';
import type { Config } from './config/config.js';
import { apiDescription } from './modules/api-description.js';
import { FrontDoorAdapter } from './platform/http/front-door-adapter.js';
import type { FrontDoor } from './platform/lifecycle/front-door.js';
import { configureHttp } from './platform/http/configure-http.js';
import { ServiceLogger } from './platform/logging/service-logger.js';
import { serveDocumentation } from './platform/openapi/openapi.js';

/**
 * Creates the whole service over a migrated database, without listening. Both the start and the tests use it.
 * With a `door` it takes over the server that already listens.
 */
export async function createApp(config: Config, door?: FrontDoor): Promise<NestExpressApplication> {
  const adapter = door ? new FrontDoorAdapter(door) : new ExpressAdapter();
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
