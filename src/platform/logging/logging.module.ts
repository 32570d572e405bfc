import { Module } from '@nestjs/common';
import type { Request, Response } from 'express';
import { LoggerModule } from 'nestjs-pino';
import type { Options } from 'pino-http';
import { requestContext } from '../../common/context/request-context.js';
import { clientAddress } from '../../common/http/client-network.js';
import type { Config } from '../../config/config.js';
import { ConfigModule } from '../../config/config.module.js';
import { routePattern } from '../http/routes.js';
import { loggerOptions } from './logger-options.js';
import { ServiceLogger } from './service-logger.js';

const PROBES = /^\/(?:health|metrics)(?:[/?]|$)/;

/** One JSON line an event on stdout; of a request who, what and the outcome, never its headers, query or body. */
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
    // A client that left before anything was said was told no status.
    status: response.headersSent ? response.statusCode : undefined,
    'user.id': principal?.userId,
    'session.id': principal?.sessionId,
    // A connection that is gone has no address any more.
    ip: request.ip === undefined ? undefined : clientAddress(request.ip),
    duration_ms: 'responseTime' in timing ? timing.responseTime : undefined,
    // The client left before the answer was whole.
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
