import { Injectable } from '@nestjs/common';
import type { Request, Response } from 'express';
import { PinoLogger } from 'nestjs-pino';
import type { RequestContext } from '../../common/context/request-context.js';
import { isProbe, shownPath } from '../../common/http/shown-path.js';

/** The facts of an answered request that its line needs, besides its method and path. */
export interface AccessRecord {
  readonly context: RequestContext;
  readonly route: string;
  readonly durationMs: number;
}

/**
 * Logs one line for each request, except for probes. It has the caller, the route and the outcome, never headers, query
 * or body.
 */
@Injectable()
export class AccessLog {
  constructor(private readonly logger: PinoLogger) {}

  write(request: Request, response: Response, { context, route, durationMs }: AccessRecord): void {
    const path = shownPath(request.originalUrl);
    if (isProbe(path)) return;
    const { principal } = context.caller;
    this.logger.logger[response.statusCode >= 500 ? 'warn' : 'info'](
      {
        method: request.method,
        path,
        route,
        // A client that disconnected before the response began received no status.
        status: response.headersSent ? response.statusCode : undefined,
        'user.id': principal?.userId,
        'session.id': principal?.sessionId,
        ip: context.origin?.ip,
        duration_ms: Math.round(durationMs),
        // The client disconnected before the response was complete.
        aborted: response.writableFinished ? undefined : true,
      },
      'request',
    );
  }
}
