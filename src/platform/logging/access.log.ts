import { Injectable } from '@nestjs/common';
import type { Request, Response } from 'express';
import { PinoLogger } from 'nestjs-pino';
import type { RequestContext } from '../../common/context/request-context.js';

const PROBES = /^\/(?:health|metrics)(?:\/|$)/;
/** The scheme and authority of a target in absolute form (RFC 9112, 3.2.2). They may contain a password. */
const AUTHORITY = /^\w+:\/\/[^/]*/;
/** The beginning of a JWT, or a character of an address: neither belongs in a path, but clients make mistakes. */
const PERSONAL = /@|%40|eyJ/i;

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
    const path = pathOf(request.originalUrl);
    if (PROBES.test(path)) return;
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

function pathOf(url: string): string {
  const query = url.indexOf('?');
  const path = query < 0 ? url : url.slice(0, query);
  if (path.startsWith('/') && !PERSONAL.test(path)) return path;
  const masked = (segment: string) => (PERSONAL.test(segment) ? '[masked]' : segment);
  return path.replace(AUTHORITY, '').split('/').map(masked).join('/');
}
