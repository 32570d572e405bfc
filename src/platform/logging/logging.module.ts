import { Module } from '@nestjs/common';
import { LoggerModule } from 'nestjs-pino';
import { requestContext } from '../../common/context/request-context.js';
import { traceContext } from '../../common/context/trace-context.js';
import type { Config } from '../../config/config.js';
import { ConfigModule } from '../../config/config.module.js';
import { AccessLog } from './access.log.js';
import { LogLevelService } from './log-level.service.js';
import { loggerParameters } from './logger-options.js';
import { ServiceLogger } from './service.logger.js';

/** Returns `request_id` and `trace_id` for every line that is logged during a request or a task that has them. */
function requestFields(): object {
  const requestId = requestContext.loggedRequestId();
  const trace = traceContext.current();
  return {
    ...(requestId !== undefined && { request_id: requestId }),
    ...(trace !== null && { trace_id: trace.traceId }),
  };
}

/**
 * Logs one JSON line per event to stdout. `AccessLog` writes the line of each request instead of pino-http's middleware,
 * which builds two child loggers for each request.
 */
@Module({
  imports: [
    LoggerModule.forRootAsync({
      inject: [ConfigModule.token],
      useFactory: (config: Config) => {
        const [options, stream] = loggerParameters(config, { mixin: requestFields });
        return { pinoHttp: stream ? [options, stream] : options, forRoutes: [] };
      },
    }),
  ],
  providers: [ServiceLogger, AccessLog, LogLevelService],
  exports: [ServiceLogger, AccessLog, LogLevelService],
})
export class LoggingModule {}
