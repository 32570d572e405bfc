import { Inject, Injectable, type ExecutionContext } from '@nestjs/common';
import { ThrottlerStorage } from '@nestjs/throttler';
import { InjectMetric } from '@willsoto/nestjs-prometheus';
import type { Request, Response } from 'express';
import { Counter } from 'prom-client';
import type { Principal } from '../../common/authorization/principal.types.js';
import { AppError } from '../../common/errors/app.error.js';
import { bearerToken } from '../../common/http/bearer-token.js';
import { clientNetwork } from '../../common/http/client-network.js';
import type { Config } from '../../config/config.js';
import { InjectConfig } from '../../config/config.module.js';
import { LIMIT_REFUSALS } from '../metrics/metric-names.js';
import { LocalRateLimitStorage, type RateLimitResult } from './local.storage.js';
import { isLimitedLate, limitOf, type Tier, tierFor, tierOf, tiers, WINDOW_MS } from './tier.policy.js';

/**
 * Limits requests with one bucket per caller across all routes: the user's with a valid access token, else the network's.
 * Sign-in, sign-up, refresh and recovery have a separate bucket for each network, and introspection has one for each user.
 * The headers follow draft-ietf-httpapi-ratelimit-headers.
 */
@Injectable()
export class RateLimiter {
  /** The series of each tier, because requests are refused in great numbers. */
  private readonly refusals: ReadonlyMap<Tier, Counter.Internal>;

  constructor(
    @InjectConfig() private readonly config: Config,
    @Inject(ThrottlerStorage) private readonly storage: ThrottlerStorage,
    @InjectMetric(LIMIT_REFUSALS) refusals: Counter,
  ) {
    this.refusals = new Map(tiers.map((tier) => [tier, refusals.labels({ tier })]));
    for (const series of this.refusals.values()) series.inc(0);
  }

  /**
   * Counts the request and sets its headers.
   * @returns null when there is nothing to wait for: the buckets in memory answer at once
   * @throws AppError `RATE_LIMITED`
   */
  take(context: ExecutionContext, principal: Principal | null): Promise<void> | null {
    const request = context.getArgByIndex<Request>(0);
    const response = context.getArgByIndex<Response>(1);
    if (principal === null && isLimitedLate(context) && bearerToken(request) === null) return null;
    return this.count(tierFor(context, principal), principal, { request, response });
  }

  /**
   * Counts a request of a route with `@LimitedLate`, once its handler knows the caller or that there is none.
   * @throws AppError `RATE_LIMITED`
   */
  async takeLate(exchange: Exchange, principal: Principal | null): Promise<void> {
    await this.count(tierOf(principal), principal, exchange);
  }

  private count(
    tier: Tier,
    principal: Principal | null,
    { request, response }: Exchange,
  ): Promise<void> | null {
    const limit = limitOf(tier, this.config);
    if (limit === 0) return null;
    const key = bucketOf(tier, principal, request);
    if (this.storage instanceof LocalRateLimitStorage) {
      this.apply(this.storage.take(key, WINDOW_MS, limit), { tier, limit, response });
      return null;
    }
    return this.storage
      .increment(key, WINDOW_MS, limit, 0, tier)
      .then((bucket) => this.apply(bucket, { tier, limit, response }));
  }

  private apply(bucket: RateLimitResult, { tier, limit, response }: Limited): void {
    const left = Math.max(0, limit - bucket.totalHits);
    response.setHeader('RateLimit-Policy', `"${tier}";q=${limit};w=${WINDOW_MS / 1000}`);
    response.setHeader('RateLimit', `"${tier}";r=${left};t=${bucket.timeToExpire}`);
    if (!bucket.isBlocked) return;
    this.refusals.get(tier)?.inc();
    throw new AppError('RATE_LIMITED', { headers: { 'Retry-After': String(bucket.timeToBlockExpire) } });
  }
}

interface Exchange {
  readonly request: Request;
  readonly response: Response;
}

interface Limited {
  readonly tier: Tier;
  readonly limit: number;
  readonly response: Response;
}

function bucketOf(tier: Tier, principal: Principal | null, request: Request): string {
  if (principal && tier === 'introspect') return `introspect:${principal.userId}`;
  if (principal && tier !== 'sign_in') return `account:${principal.userId}`;
  const network = clientNetwork(request.ip ?? '');
  return tier === 'sign_in' ? `sign-in:${network}` : `network:${network}`;
}
