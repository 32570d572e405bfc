import { Injectable } from '@nestjs/common';
import { InjectMetric } from '@willsoto/nestjs-prometheus';
import type { NextFunction, Request, Response } from 'express';
import { Counter, Histogram } from 'prom-client';

export const HTTP_REQUESTS = 'http_requests_total';
export const HTTP_DURATION = 'http_request_duration_seconds';

/** A label's values must be few: paths that no route serves all count as this one. */
const UNMATCHED = 'unmatched';
const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

/** Counts and times every request, refused ones too, by the pattern of its route. */
@Injectable()
export class HttpMetrics {
  constructor(
    @InjectMetric(HTTP_REQUESTS) private readonly requests: Counter,
    @InjectMetric(HTTP_DURATION) private readonly duration: Histogram,
  ) {}

  readonly middleware = (request: Request, response: Response, next: NextFunction): void => {
    const started = performance.now();
    response.once('close', () => {
      const labels = {
        method: METHODS.has(request.method) ? request.method : 'OTHER',
        route: routePattern(request),
        status: String(response.statusCode),
      };
      this.requests.inc(labels);
      this.duration.observe(labels, (performance.now() - started) / 1000);
    });
    next();
  };
}

/** `/api/users/:id`, never the path itself: known once the request was routed. */
export function routePattern(request: Request): string {
  const route: unknown = request.route;
  if (typeof route !== 'object' || route === null || !('path' in route) || !('methods' in route)) {
    return UNMATCHED;
  }
  // Nest registers middleware as routes of every method there is: passing one is no match.
  const isMiddleware =
    typeof route.methods === 'object' && route.methods !== null && 'trace' in route.methods;
  return typeof route.path === 'string' && !isMiddleware ? route.path : UNMATCHED;
}
