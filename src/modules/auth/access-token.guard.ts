import { type ExecutionContext, Injectable } from '@nestjs/common';
import { AuthGuard } from '@nestjs/passport';
import type { Request } from 'express';
import { requestContext } from '../../common/context/request-context.js';
import type { Principal } from '../../common/authorization/principal.js';
import { ACCESS_TOKEN_STRATEGY } from './access-token.strategy.js';
import { bearerToken } from '../../common/http/bearer.js';

/** Finds out who calls, and refuses nobody: that is the policy's part. */
@Injectable()
export class AccessTokenGuard extends AuthGuard(ACCESS_TOKEN_STRATEGY) {
  override async canActivate(context: ExecutionContext): Promise<boolean> {
    if (bearerToken(context.switchToHttp().getRequest<Request>()) === null) return true;
    await super.canActivate(context);
    return true;
  }

  /** An error here is the database's, not the token's: it must not look like a refusal. */
  // oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the base class is written so
  override handleRequest<Result>(error: unknown, principal: Principal | false): Result {
    if (error) throw error;
    const current = requestContext.current();
    if (current) current.caller = { principal: principal || null, rejected: !principal };
    return (principal || null) as Result;
  }
}
