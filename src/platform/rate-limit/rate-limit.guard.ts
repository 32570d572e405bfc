import { type ExecutionContext, Injectable } from '@nestjs/common';
import { ThrottlerGuard, type ThrottlerRequest } from '@nestjs/throttler';
import type { Request, Response } from 'express';
import type { Principal } from '../../common/authorization/principal.types.js';
import { requestContext } from '../../common/context/request-context.js';
import { AppError } from '../../common/errors/app.error.js';
import { clientNetwork } from '../../common/http/client-network.js';
import { operationalRoute } from '../../common/http/operational.decorator.js';
import { type Tier, tierFor, WINDOW_MS } from './tier.policy.js';

/**
 * Limits requests with one bucket per caller across all routes except operational ones: the user's with a valid access token,
 * else the network's. Sign-in, sign-up, refresh and recovery have a separate bucket for each network. The
 * headers follow draft-ietf-httpapi-ratelimit-headers.
 */
@Injectable()
export class RateLimitGuard extends ThrottlerGuard {
  protected override async shouldSkip(context: ExecutionContext): Promise<boolean> {
    return (
      context.getType() !== 'http' || operationalRoute(context.getHandler(), context.getClass()) !== undefined
    );
  }

  protected override async handleRequest({ context, limit, ttl }: ThrottlerRequest): Promise<boolean> {
    if (limit === 0) return true;
    const request = context.switchToHttp().getRequest<Request>();
    const response = context.switchToHttp().getResponse<Response>();
    const principal = requestContext.current()?.caller.principal;
    const tier = tierFor(context, principal ?? null);
    const key = bucketOf(tier, principal ?? null, request);
    const bucket = await this.storageService.increment(key, ttl, limit, 0, tier);
    response.set('RateLimit-Policy', `"${tier}";q=${limit};w=${WINDOW_MS / 1000}`);
    response.set(
      'RateLimit',
      `"${tier}";r=${Math.max(0, limit - bucket.totalHits)};t=${bucket.timeToExpire}`,
    );
    if (!bucket.isBlocked) return true;
    throw new AppError('RATE_LIMITED', { headers: { 'Retry-After': String(bucket.timeToBlockExpire) } });
  }
}

function bucketOf(tier: Tier, principal: Principal | null, request: Request): string {
  if (principal && tier !== 'sign_in') return `account:${principal.userId}`;
  const network = clientNetwork(request.ip ?? '');
  return tier === 'sign_in' ? `sign-in:${network}` : `network:${network}`;
}
