import { Injectable } from '@nestjs/common';
import { InjectMetric } from '@willsoto/nestjs-prometheus';
import type { Request, Response } from 'express';
import { Counter, Histogram } from 'prom-client';

export const HTTP_REQUESTS = 'http_requests_total';
export const HTTP_DURATION = 'http_request_duration_seconds';

/** The status of a request whose client disconnected before the response, as in nginx. */
const ABANDONED = '499';
const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

/**
 * The number of combinations of method, route and status that have a series. A combination costs one series in the counter
 * and 14 in the histogram, and an instance keeps fewer than 2,000 in all.
 */
const MAX_COUNTED = 400;
const MAX_TIMED = 75;

interface Labels {
  readonly method: string;
  readonly route: string;
  readonly status: string;
}

/** A metric's series of one combination. */
interface Kept<Series> {
  readonly labels: Labels;
  readonly series: Series;
  /** True if it was used since it was last considered for removal. */
  used: boolean;
}

/** Counts and times every request, including refused ones, by its route pattern. */
@Injectable()
export class HttpMetrics {
  private readonly counted: SeriesByUse<Counter.Internal>;
  private readonly timed: SeriesByUse<Histogram.Internal<string>>;

  constructor(
    @InjectMetric(HTTP_REQUESTS) requests: Counter,
    @InjectMetric(HTTP_DURATION) duration: Histogram,
  ) {
    this.counted = new SeriesByUse(MAX_COUNTED, requests);
    this.timed = new SeriesByUse(MAX_TIMED, duration);
  }

  /** Records a request whose response has ended or whose client has left. */
  observe(
    request: Request,
    response: Response,
    { route, durationMs }: { readonly route: string; readonly durationMs: number },
  ): void {
    const status = response.headersSent ? String(response.statusCode) : ABANDONED;
    const method = countedMethod(request);
    const key = `${method} ${status} ${route}`;
    (this.counted.find(key) ?? this.counted.add(key, { method, route, status })).inc();
    (this.timed.find(key) ?? this.timed.add(key, { method, route, status })).observe(durationMs / 1000);
  }
}

/** A metric whose series are made and removed by their labels. */
interface Labelled<Series> {
  labels(labels: object): Series;
  remove(labels: object): void;
}

/**
 * Keeps a metric's series by their labels, because the library's own look-up is expensive. When there are too many, removes
 * one that was not used for long. Prometheus takes its return for a counter that began anew.
 */
class SeriesByUse<Series> {
  /** In the order in which they are considered for removal. */
  private readonly kept = new Map<string, Kept<Series>>();

  constructor(
    private readonly max: number,
    private readonly metric: Labelled<Series>,
  ) {}

  find(key: string): Series | undefined {
    const found = this.kept.get(key);
    if (found === undefined) return undefined;
    found.used = true;
    return found.series;
  }

  add(key: string, labels: Labels): Series {
    if (this.kept.size >= this.max) this.removeUnused();
    const series = this.metric.labels(labels);
    this.kept.set(key, { labels, series, used: false });
    return series;
  }

  /** Removes the first that was not used since it was last considered. Visits each at most twice. */
  private removeUnused(): void {
    for (const [key, kept] of this.kept) {
      this.kept.delete(key);
      if (!kept.used) return this.metric.remove(kept.labels);
      kept.used = false;
      this.kept.set(key, kept);
    }
  }
}

/** Returns the method as a label, which must have few values. */
export const countedMethod = ({ method }: Request): string => (METHODS.has(method) ? method : 'OTHER');
