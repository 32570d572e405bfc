import type { Server } from 'node:http';
import type { NestExpressApplication } from '@nestjs/platform-express';
import type { Express } from 'express';
import { trustedProxies } from '../../common/http/client-network.js';
import type { Config } from '../../config/config.js';
import { answerClientErrors } from './server/answer-client-errors.js';
import { EdgeMiddleware } from './edge/edge.middleware.js';
import { handleExpectHeaders } from './server/expect-header.js';
import { keepClientAddresses } from './server/keep-client-addresses.js';
import { OverloadMiddleware, type RequestListener } from './overload/overload.middleware.js';
import { DeclaredRoutesService } from './declared-routes.service.js';
import { routeUpgrades } from './server/upgrades.js';
import { UnfinishedHeadsMonitor } from './server/unfinished-heads.monitor.js';

/** Configures everything that runs before the routes, in the order in which a request meets it. */
export function configureHttp(app: NestExpressApplication, config: Config): void {
  // The ETag of a record is its version; Express would hash every body to make one.
  app.set('etag', false);
  // Express would evaluate If-None-Match again on sending, with a laxer grammar than ours.
  Object.defineProperty(app.getHttpAdapter().getInstance().request, 'fresh', { value: false });
  // Queries are parsed strictly, after the gate's checks (parseInput).
  app.set('query parser', false);
  app.set('trust proxy', trustedProxies(config.TRUSTED_PROXIES));
  app.disable('x-powered-by');
  app.use(app.get(EdgeMiddleware).use);
  guardServer(app);
  const express = app.getHttpAdapter().getInstance() as unknown as ExpressHandler;
  express.handle = app.get(OverloadMiddleware).before(express.handle.bind(express));
}

/** The method to which an Express application passes each request; Express's types omit it. */
interface ExpressHandler {
  handle: RequestListener;
}

/** Sets up protection on the server itself, before a request object exists. */
function guardServer(app: NestExpressApplication): void {
  const server: Server = app.getHttpServer();
  keepClientAddresses(server);
  answerClientErrors(server);
  handleExpectHeaders(server);
  const express: Express = app.getHttpAdapter().getInstance();
  const isTrusted = express.get('trust proxy fn') as (address: string, hop: number) => boolean;
  new UnfinishedHeadsMonitor((address) => isTrusted(address, 0)).watch(server);
  const paths = new Set(app.get(DeclaredRoutesService).upgradePaths());
  // The router, too, ignores case and a slash at the end.
  routeUpgrades(server, (path) => paths.has(path.toLowerCase().replace(/(?<=.)\/$/, '')));
}
