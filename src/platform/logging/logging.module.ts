import { Module } from '@nestjs/common';
import type { Request, Response } from 'express';
import { LoggerModule } from 'nestjs-pino';
import type { Options } from 'pino-http';
import { requestContext } from '../../common/context/request-context.js';
import { clientAddress } from '../../common/http/client-network.js';
import type { Config } from '../../config/config.js';
import { ConfigModule } from '../../config/config.module.js';
import { routePattern } from '../../common/http/route-pattern.js';
import { loggerOptions } from './logger-options.js';
import { ServiceLogger } from './service.logger.js';

const PROBES = /^\/(?:health|metrics)(?:[/?]|$)/;

/**
 * Logs one JSON line per event to stdout. A request's line has the caller, the route and the outcome, never
 * headers, query or body.
 */
function httpLogOptions(config: Config): Options<Request, Response> {
  return {
    ...loggerOptions(config),
    genReqId: () => requestContext.current()?.requestId ?? '',
    customAttributeKeys: { reqId: 'request_id' },
    quietReqLogger: true,
    quietResLogger: true,
    autoLogging: { ignore: (request) => PROBES.test(request.originalUrl) },
    customLogLevel: (_, response) => (response.statusCode >= 500 ? 'warn' : 'info'),
    customSuccessMessage: () => 'request',
    customErrorMessage: () => 'request',
    customSuccessObject: requestFacts,
    customErrorObject: (request, response, _, timing: object) => requestFacts(request, response, timing),
  };
}

function requestFacts(request: Request, response: Response, timing: object) {
  const principal = requestContext.current()?.caller.principal;
  return {
    method: request.method,
    path: request.originalUrl.split('?', 1)[0],
    route: routePattern(request),
    // A client that disconnected before the response began received no status.
    status: response.headersSent ? response.statusCode : undefined,
    'user.id': principal?.userId,
    'session.id': principal?.sessionId,
    // A closed connection no longer has an address.
    ip: request.ip === undefined ? undefined : clientAddress(request.ip),
    duration_ms: 'responseTime' in timing ? timing.responseTime : undefined,
    // The client disconnected before the response was complete.
    aborted: response.writableFinished ? undefined : true,
  };
}

@Module({
  imports: [
    LoggerModule.forRootAsync({
      inject: [ConfigModule.token],
      useFactory: (config: Config) => ({ pinoHttp: httpLogOptions(config) }),
    }),
  ],
  providers: [ServiceLogger],
  exports: [ServiceLogger],
})
export class LoggingModule {}
