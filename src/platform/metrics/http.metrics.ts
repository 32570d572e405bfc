import { Injectable } from '@nestjs/common';
import { InjectMetric } from '@willsoto/nestjs-prometheus';
import type { NextFunction, Request, Response } from 'express';
import { Counter, Histogram } from 'prom-client';
import { routePattern } from '../../common/http/route-pattern.js';

export const HTTP_REQUESTS = 'http_requests_total';
export const HTTP_DURATION = 'http_request_duration_seconds';

/** The status of a request whose client disconnected before the response, as in nginx. */
const ABANDONED = '499';
const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

/** Counts and times every request, including refused ones, by its route pattern. */
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
        method: countedMethod(request),
        route: routePattern(request),
        status: response.headersSent ? String(response.statusCode) : ABANDONED,
      };
      this.requests.inc(labels);
      this.duration.observe(labels, (performance.now() - started) / 1000);
    });
    next();
  };
}

/** Returns the method as a label, which must have few values. */
export const countedMethod = ({ method }: Request): string => (METHODS.has(method) ? method : 'OTHER');
