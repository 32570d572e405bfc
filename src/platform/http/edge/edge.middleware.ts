import { Injectable } from '@nestjs/common';
import type { NextFunction, Request, Response } from 'express';
import { requestContext } from '../../../common/context/request-context.js';
import { AppError } from '../../../common/errors/app.error.js';
import { SECURITY_HEADERS } from '../../../common/http/edge-headers.js';
import { routePattern } from '../../../common/http/route-pattern.js';
import type { Config } from '../../../config/config.js';
import { InjectConfig } from '../../../config/config.module.js';
import { LifecycleService } from '../../lifecycle/lifecycle.service.js';
import { AccessLog } from '../../logging/access.log.js';
import { HttpMetrics } from '../../metrics/http.metrics.js';
import { RecordedSpan } from '../../telemetry/recorded-span.js';
import { expectationFault } from '../server/expect-header.js';
import { ambiguityFault } from './ambiguous-request.js';
import { DeclaredRoutesService } from '../declared-routes.service.js';
import { compress } from '../answers/compress.js';
import { OverloadMiddleware } from '../overload/overload.middleware.js';
import { Cors } from './cors.js';
import { Deadlines } from './deadlines.js';
import { EdgeContext } from './edge-context.js';
import { endRequestSpan } from './request-span.js';

/** The paths whose responses depend on the caller. */
const API = /^\/(?:api|ofrep)(?:\/|$)/i;
const DOCUMENTATION = /^\/docs(?:\/|$)/i;
/** The paths that Swagger's own handlers answer, which the adapter does not compress. */
const SENT_BY_SWAGGER = /^\/(?:docs(?:\/|$)|openapi\.json$)/i;

/** The policy for Swagger UI, which loads its own scripts and styles, sets inline styles, and calls this API. */
const DOCUMENTATION_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "frame-ancestors 'none'",
].join(';');

/** A request with its response and Express's `next`. */
interface Exchange {
  readonly request: Request;
  readonly response: Response;
  readonly next: NextFunction;
}

/**
 * Does everything that every request needs before it is routed and after it is answered: opens its context and its time
 * limit, sets the headers of every response, refuses what the protocol forbids, applies CORS, and at the end counts and
 * logs the request.
 */
@Injectable()
export class EdgeMiddleware {
  private readonly deadlines: Deadlines<EdgeContext>;
  private readonly cors: Cors;

  constructor(
    @InjectConfig() config: Config,
    routes: DeclaredRoutesService,
    private readonly lifecycle: LifecycleService,
    private readonly metrics: HttpMetrics,
    private readonly accessLog: AccessLog,
    private readonly overload: OverloadMiddleware,
  ) {
    this.deadlines = new Deadlines(config.REQUEST_TIMEOUT_MS, (context, work) =>
      requestContext.run(context, work),
    );
    this.cors = new Cors(config.CORS_ORIGINS, routes.exposedHeaders());
  }

  readonly use = (request: Request, response: Response, next: NextFunction): void => {
    const context = new EdgeContext(request);
    this.deadlines.add(context);
    response.once('close', () => this.end(context, request, response));
    this.setHeaders(context, request, response);
    requestContext.run(context, () => this.pass(request, response, next));
  };

  private setHeaders({ requestId }: EdgeContext, { path }: Request, response: Response): void {
    for (const [name, value] of SECURITY_HEADERS) response.setHeader(name, value);
    response.setHeader('X-Request-Id', requestId);
    // Asks the client to leave its connection while the service stops.
    if (this.lifecycle.draining) response.setHeader('Connection', 'close');
    // Keeps personal data out of caches. A conditional read overrides the header itself.
    if (API.test(path)) response.setHeader('Cache-Control', 'no-store');
    else if (DOCUMENTATION.test(path)) response.setHeader('Content-Security-Policy', DOCUMENTATION_POLICY);
  }

  private pass(request: Request, response: Response, next: NextFunction): void {
    const fault = ambiguityFault(request) ?? expectationFault(request);
    if (SENT_BY_SWAGGER.test(request.path)) compress(request, response);
    if (fault === null)
      return this.cors.use(request, response, (error) => this.route(error, { request, response, next }));
    // The client and other readers of the connection may disagree about where the next request begins.
    response.setHeader('Connection', 'close');
    next(fault);
  }

  private route(error: unknown, { request, response, next }: Exchange): void {
    if (error) next(error);
    else if (!isDecodable(request.path)) next(new AppError('VALIDATION_ERROR'));
    else this.overload.afterCors(request, response, next);
  }

  private end(context: EdgeContext, request: Request, response: Response): void {
    this.deadlines.delete(context);
    if (!response.writableFinished) context.leave();
    const route = routePattern(request);
    const durationMs = performance.now() - context.startedAt;
    this.metrics.observe(request, response, { route, durationMs });
    if (context.trace instanceof RecordedSpan) endRequestSpan(context.trace, request, response, route);
    // An event of the socket may belong to another request of the same connection.
    requestContext.run(context, () =>
      this.accessLog.write(request, response, { context, route, durationMs }),
    );
  }
}

/** Tells whether the path can be decoded. Without this check, the declared routes would decide between 400 and 404. */
function isDecodable(path: string): boolean {
  if (!path.includes('%')) return true;
  try {
    decodeURIComponent(path);
    return true;
  } catch {
    return false;
  }
}
