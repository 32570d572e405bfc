import { Injectable } from '@nestjs/common';
import { InjectMetric } from '@willsoto/nestjs-prometheus';
import type { Request, Response } from 'express';
import { Counter, Histogram } from 'prom-client';

export const HTTP_REQUESTS = 'http_requests_total';
export const HTTP_DURATION = 'http_request_duration_seconds';

/** The status of a request whose client disconnected before the response, as in nginx. */
const ABANDONED = '499';
const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

interface Series {
  readonly requests: Counter.Internal;
  readonly duration: Histogram.Internal<string>;
}

/** Counts and times every request, including refused ones, by its route pattern. */
@Injectable()
export class HttpMetrics {
  /** Series by their labels, because the library's own look-up is expensive. Bounded as the labels are. */
  private readonly series = new Map<string, Series>();

  constructor(
    @InjectMetric(HTTP_REQUESTS) private readonly requests: Counter,
    @InjectMetric(HTTP_DURATION) private readonly duration: Histogram,
  ) {}

  /** Records a request whose response has ended or whose client has left. */
  observe(
    request: Request,
    response: Response,
    { route, durationMs }: { readonly route: string; readonly durationMs: number },
  ): void {
    const status = response.headersSent ? String(response.statusCode) : ABANDONED;
    const { requests, duration } = this.seriesOf(countedMethod(request), route, status);
    requests.inc();
    duration.observe(durationMs / 1000);
  }

  private seriesOf(method: string, route: string, status: string): Series {
    const key = `${method} ${status} ${route}`;
    let found = this.series.get(key);
    if (found === undefined) {
      const labels = { method, route, status };
      found = { requests: this.requests.labels(labels), duration: this.duration.labels(labels) };
      this.series.set(key, found);
    }
    return found;
  }
}

/** Returns the method as a label, which must have few values. */
export const countedMethod = ({ method }: Request): string => (METHODS.has(method) ? method : 'OTHER');
