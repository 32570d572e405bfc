import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { InjectMetric } from '@willsoto/nestjs-prometheus';
import type { NextFunction, Request, Response } from 'express';
import type { Counter } from 'prom-client';
import type { DataSource } from 'typeorm';
import { poolOf } from '../database/database.module.js';
import { ServicePool } from '../database/service-pool.js';
import { Lifecycle } from '../lifecycle/lifecycle.js';
import { countedMethod, HTTP_REQUESTS } from '../metrics/http-metrics.js';
import { OVERLOAD_REFUSALS, type RefusalReason } from '../metrics/overload-metrics.js';
import { LoopTurn } from './loop-turn.js';
import { answerOverloaded } from './overload-answer.js';
import { RefusalPace } from './refusal-pace.js';
import { UNMATCHED } from './routes.js';
import { BackgroundLogger } from '../logging/background-logger.js';

/** Probes and metrics must be answered above all while the instance has too much to do. */
const NEVER_REFUSED = /^\/(?:health|metrics)(?:[/?]|$)/;
/** Every route of the API asks the database for something. */
const NEEDS_DATABASE = /^\/api(?:[/?]|$)/i;
const REPORT_EVERY_MS = 10_000;

/** What Express is to its server, or to another application around it. */
export type RequestListener = (request: Request, response: Response, next?: NextFunction) => void;
type EdgeReason = Exclude<RefusalReason, 'queue'>;

/**
 * Refuses what the instance could serve only too late, as the first of all middleware: a refusal reads no token,
 * writes no log line and costs less than any answer. Metrics count refusals, and one line says so from time to time.
 */
@Injectable()
export class OverloadGate {
  private readonly logger = new BackgroundLogger(OverloadGate.name);
  private readonly turn = new LoopTurn();
  private readonly pace = new RefusalPace(() => this.pool?.returns ?? 0);
  private readonly pool: ServicePool | null;
  /** Counters by their label, which are dear to find anew. */
  private readonly counted: Readonly<Record<EdgeReason, Counter.Internal>>;
  private readonly countedRequests = new Map<string, Counter.Internal>();
  private unreported = 0;
  private report: NodeJS.Timeout | undefined;

  constructor(
    @InjectDataSource() dataSource: DataSource,
    private readonly lifecycle: Lifecycle,
    @InjectMetric(OVERLOAD_REFUSALS) refusals: Counter,
    @InjectMetric(HTTP_REQUESTS) private readonly requests: Counter,
  ) {
    this.counted = {
      database: refusals.labels('database'),
      event_loop: refusals.labels('event_loop'),
    };
    const pool = poolOf(dataSource);
    this.pool = pool instanceof ServicePool ? pool : null;
  }

  /**
   * Wraps the request listener of Express, so that a refusal costs none of its work. Requests of browsers pass on to
   * `afterCors`, because a page may read a refusal only with the headers of CORS.
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
    if (NEVER_REFUSED.test(url)) return null;
    if (this.turn.isOver()) return 'event_loop';
    return this.pool?.overloaded === true && NEEDS_DATABASE.test(url) ? 'database' : null;
  }

  private refuse(request: Request, response: Response, reason: EdgeReason): void {
    this.counted[reason].inc();
    this.unreported++;
    this.report ??= setTimeout(() => this.tell(), REPORT_EVERY_MS).unref();
    this.pace.add(() => answerOverloaded(request, response, this.lifecycle.draining));
  }

  private countRequest(method: string): void {
    let counter = this.countedRequests.get(method);
    if (counter === undefined) {
      counter = this.requests.labels({ method, route: UNMATCHED, status: '503' });
      this.countedRequests.set(method, counter);
    }
    counter.inc();
  }

  private tell(): void {
    this.report = undefined;
    this.logger.warn(`refused ${this.unreported} requests within 10 s because the instance is overloaded`);
    this.unreported = 0;
  }
}
