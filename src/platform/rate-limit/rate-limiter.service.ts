import { Inject, Injectable, type ExecutionContext } from '@nestjs/common';
import { ThrottlerStorage } from '@nestjs/throttler';
import type { Request, Response } from 'express';
import type { Principal } from '../../common/authorization/principal.types.js';
import { AppError } from '../../common/errors/app.error.js';
import { bearerToken } from '../../common/http/bearer-token.js';
import { clientNetwork } from '../../common/http/client-network.js';
import type { Config } from '../../config/config.js';
import { InjectConfig } from '../../config/config.module.js';
import { LocalRateLimitStorage, type RateLimitResult } from './local.storage.js';
import { isLimitedLate, limitOf, type Tier, tierFor, tierOf, WINDOW_MS } from './tier.policy.js';

/**
 * Limits requests with one bucket per caller across all routes: the user's with a valid access token, else the network's.
 * Sign-in, sign-up, refresh and recovery have a separate bucket for each network, and introspection has one for each user.
 * The headers follow draft-ietf-httpapi-ratelimit-headers.
 */
@Injectable()
export class RateLimiter {
  constructor(
    @InjectConfig() private readonly config: Config,
    @Inject(ThrottlerStorage) private readonly storage: ThrottlerStorage,
  ) {}

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
      applyLimit(this.storage.take(key, WINDOW_MS, limit), { tier, limit, response });
      return null;
    }
    return this.storage
      .increment(key, WINDOW_MS, limit, 0, tier)
      .then((bucket) => applyLimit(bucket, { tier, limit, response }));
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

function applyLimit(bucket: RateLimitResult, { tier, limit, response }: Limited): void {
  const left = Math.max(0, limit - bucket.totalHits);
  response.setHeader('RateLimit-Policy', `"${tier}";q=${limit};w=${WINDOW_MS / 1000}`);
  response.setHeader('RateLimit', `"${tier}";r=${left};t=${bucket.timeToExpire}`);
  if (!bucket.isBlocked) return;
  throw new AppError('RATE_LIMITED', { headers: { 'Retry-After': String(bucket.timeToBlockExpire) } });
}

function bucketOf(tier: Tier, principal: Principal | null, request: Request): string {
  if (principal && tier === 'introspect') return `introspect:${principal.userId}`;
  if (principal && tier !== 'sign_in') return `account:${principal.userId}`;
  const network = clientNetwork(request.ip ?? '');
  return tier === 'sign_in' ? `sign-in:${network}` : `network:${network}`;
}
