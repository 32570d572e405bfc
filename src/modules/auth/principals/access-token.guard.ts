import { type ExecutionContext, Injectable } from '@nestjs/common';
import { AuthGuard } from '@nestjs/passport';
import type { Request } from 'express';
import { requestContext } from '../../../common/context/request-context.js';
import { ACCESS_TOKEN_STRATEGY } from './access-token.strategy.js';
import { bearerToken } from '../../../common/http/bearer-token.js';
import { operationalRoute } from '../../../common/http/operational.decorator.js';
import { PrincipalsService } from './principals.service.js';
import { type VerifiedToken, VerifiedTokenCache } from './verified-token.cache.js';

/** Authenticates the caller and refuses nobody. Refusing is the job of the policy guard. */
@Injectable()
export class AccessTokenGuard extends AuthGuard(ACCESS_TOKEN_STRATEGY) {
  constructor(
    private readonly verified: VerifiedTokenCache,
    private readonly principals: PrincipalsService,
  ) {
    super();
  }

  override async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<Request>();
    const token = bearerToken(request);
    if (token === null || operationalRoute(context.getHandler(), context.getClass())) return true;
    const bearer = this.verified.find(token) ?? (await this.verify(context, request));
    const principal = bearer && (await this.principals.find(bearer.userId, bearer.sessionId));
    const current = requestContext.current();
    if (current) current.caller = { principal, rejected: principal === null };
    return true;
  }

  /** Rethrows internal errors, which must not look like a refused token. */
  // oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the base class is written so
  override handleRequest<Result>(error: unknown, bearer: VerifiedToken | false): Result {
    if (error) throw error;
    return (bearer || null) as Result;
  }

  private async verify(context: ExecutionContext, request: Request): Promise<VerifiedToken | null> {
    await super.canActivate(context);
    return (request.user ?? null) as VerifiedToken | null;
  }
}
