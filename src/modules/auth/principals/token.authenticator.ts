import { type ExecutionContext, Injectable } from '@nestjs/common';
import { AuthGuard } from '@nestjs/passport';
import type { Request } from 'express';
import { ACCESS_TOKEN_STRATEGY } from './access-token.strategy.js';
import type { VerifiedToken } from './verified-token.cache.js';

/** Verifies the access token of a request with Passport. Never refuses a request: the policy does. */
@Injectable()
export class TokenAuthenticator extends AuthGuard(ACCESS_TOKEN_STRATEGY) {
  /** Returns null for a token that is not valid. */
  async verify(context: ExecutionContext): Promise<VerifiedToken | null> {
    await super.canActivate(context);
    return (context.switchToHttp().getRequest<Request>().user ?? null) as VerifiedToken | null;
  }

  /** Rethrows internal errors, which must not look like a refused token. */
  // oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the method of AuthGuard has this parameter, and an override must accept the same calls
  override handleRequest<Result>(error: unknown, bearer: VerifiedToken | false): Result {
    if (error) throw error;
    return (bearer || null) as Result;
  }
}
