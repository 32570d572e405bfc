import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { InjectMetric } from '@willsoto/nestjs-prometheus';
import type { NextFunction, Request, Response } from 'express';
import type { Counter } from 'prom-client';
import type { DataSource } from 'typeorm';
import { poolOf } from '../../database/database.module.js';
import { ServicePool } from '../../database/driver/pools/service.pool.js';
import { LifecycleService } from '../../lifecycle/lifecycle.service.js';
import { countedMethod, HTTP_REQUESTS } from '../../metrics/http.metrics.js';
import { OVERLOAD_REFUSALS, type RefusalReason } from '../../metrics/metric-names.js';
import { DeclaredRoutesService } from '../declared-routes.service.js';
import { EventLoopMonitor } from './event-loop.monitor.js';
import { answerOverloaded } from './answer-overloaded.js';
import { RefusalScheduler } from './refusal.scheduler.js';
import { UNMATCHED } from '../../../common/http/route-pattern.js';
import { BackgroundLogger } from '../../logging/background.logger.js';

const REPORT_INTERVAL_MS = 10_000;

/** The signature of Express as called by its server or by an application around it. */
export type RequestListener = (request: Request, response: Response, next?: NextFunction) => void;
type EdgeReason = Exclude<RefusalReason, 'queue'>;

/**
 * Refuses requests that the instance could serve only too late, before all other middleware. A refusal reads
 * no token, writes no log line and costs less than any other response. Metrics count the refusals, and a log
 * line reports them periodically.
 */
@Injectable()
export class OverloadMiddleware {
  private readonly logger = new BackgroundLogger(OverloadMiddleware.name);
  private readonly eventLoop = new EventLoopMonitor();
  private readonly refusals = new RefusalScheduler(() => this.pool?.returns ?? 0);
  private readonly pool: ServicePool | null;
  /** Counters cached by label, because finding them is expensive. */
  private readonly counted: Readonly<Record<EdgeReason, Counter.Internal>>;
  private readonly countedRequests = new Map<string, Counter.Internal>();
  /** Matches probes and metrics, which must be answered especially while the instance is overloaded. */
  private readonly neverRefused: RegExp;
  /** Matches paths that need the database: those of every route that is not operational. */
  private readonly needsDatabase: RegExp;
  private unreported = 0;
  private report: NodeJS.Timeout | undefined;

  constructor(
    @InjectDataSource() dataSource: DataSource,
    private readonly lifecycle: LifecycleService,
    routes: DeclaredRoutesService,
    @InjectMetric(OVERLOAD_REFUSALS) refusals: Counter,
    @InjectMetric(HTTP_REQUESTS) private readonly requests: Counter,
  ) {
    this.counted = {
      database: refusals.labels('database'),
      event_loop: refusals.labels('event_loop'),
    };
    const declared = routes.all();
    this.neverRefused = pathsIn(
      declared.filter(({ operational }) => operational?.evenOverloaded).map(({ area }) => area),
    );
    this.needsDatabase = pathsIn(declared.filter(({ operational }) => !operational).map(({ area }) => area));
    const pool = poolOf(dataSource);
    this.pool = pool instanceof ServicePool ? pool : null;
  }

  /**
   * Wraps the request listener of Express, so that a refusal costs none of its work. Browser requests pass
   * through to `afterCors`, because a page may read a refusal only with CORS headers.
   */
  before(serve: RequestListener): RequestListener {
    return (request, response, next) => {
      const reason = request.headers.origin === undefined ? this.reasonToRefuse(request) : null;
      if (reason === null) return serve(request, response, next);
      this.countRequest(countedMethod(request));
      this.refuse(request, response, reason);
    };
  }

  readonly afterCors = (request: Request, response: Response, next: NextFunction): void => {
    const reason = request.headers.origin === undefined ? null : this.reasonToRefuse(request);
    if (reason === null) next();
    else this.refuse(request, response, reason);
  };

  private reasonToRefuse({ url }: Request): EdgeReason | null {
    if (this.neverRefused.test(url)) return null;
    if (this.eventLoop.isOver()) return 'event_loop';
    return this.pool?.overloaded === true && this.needsDatabase.test(url) ? 'database' : null;
  }

  private refuse(request: Request, response: Response, reason: EdgeReason): void {
    this.counted[reason].inc();
    this.unreported++;
    this.report ??= setTimeout(() => this.reportRefusals(), REPORT_INTERVAL_MS).unref();
    this.refusals.add(() => answerOverloaded(request, response, this.lifecycle.draining));
  }

  private countRequest(method: string): void {
    let counter = this.countedRequests.get(method);
    if (counter === undefined) {
      counter = this.requests.labels({ method, route: UNMATCHED, status: '503' });
      this.countedRequests.set(method, counter);
    }
    counter.inc();
  }

  private reportRefusals(): void {
    this.report = undefined;
    this.logger.warn(`refused ${this.unreported} requests within 10 s because the instance is overloaded`);
    this.unreported = 0;
  }
}

/** Matches each path whose first segment is one of these, in any case, as the router does. */
const pathsIn = (areas: readonly string[]): RegExp =>
  new RegExp(
    `^/(?:${[...new Set(areas)].map((area) => area.replaceAll(/\W/g, '\\$&')).join('|')})(?:[/?]|$)`,
    'i',
  );
