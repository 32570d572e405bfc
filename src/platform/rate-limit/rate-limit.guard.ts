import { type ExecutionContext, Injectable } from '@nestjs/common';
import { ThrottlerGuard, type ThrottlerRequest } from '@nestjs/throttler';
import type { Request, Response } from 'express';
import { requestContext } from '../../common/context/request-context.js';
import { AppError } from '../../common/errors/app-error.js';
import { clientNetwork } from '../../common/http/client-network.js';
import { tierOf, WINDOW_MS } from './tiers.js';

const LIMITED = /^\/api(?:\/|$)/i;

/**
 * One bucket a caller over all API routes: the account's with a valid access token, else the
 * network's. Headers as in draft-ietf-httpapi-ratelimit-headers.
 */
@Injectable()
export class RateLimitGuard extends ThrottlerGuard {
  protected override async shouldSkip(context: ExecutionContext): Promise<boolean> {
    return context.getType() !== 'http' || !LIMITED.test(context.switchToHttp().getRequest<Request>().path);
  }

  protected override async handleRequest({ context, limit, ttl }: ThrottlerRequest): Promise<boolean> {
    if (limit === 0) return true;
    const request = context.switchToHttp().getRequest<Request>();
    const response = context.switchToHttp().getResponse<Response>();
    const principal = requestContext.current()?.caller.principal;
    const tier = tierOf(principal ?? null);
    const key = principal ? `account:${principal.userId}` : `network:${clientNetwork(request.ip ?? '')}`;
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
