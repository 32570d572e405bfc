import { type ExecutionContext, Injectable } from '@nestjs/common';
import { AuthGuard } from '@nestjs/passport';
import type { Request } from 'express';
import { ACCESS_TOKEN_STRATEGY } from './access-token.strategy.js';
import type { TokenRefusal } from '../../../common/authorization/principal.types.js';
import type { AccessClaims } from '../sessions/token-claims.js';

/** The reason why a token is refused before its session is looked up. */
export type TokenFault = Exclude<TokenRefusal, 'ended'>;

/** Verifies the access token of a request with Passport. Never refuses a request: the policy does. */
@Injectable()
export class TokenAuthenticator extends AuthGuard(ACCESS_TOKEN_STRATEGY) {
  /** Returns the verified token, or the reason why it is refused. */
  async verify(context: ExecutionContext): Promise<AccessClaims | TokenFault> {
    await super.canActivate(context);
    return context.switchToHttp().getRequest<Request>().user as AccessClaims | TokenFault;
  }

  /** Rethrows internal errors, which must not look like a refused token. */
  // oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the method of AuthGuard has this parameter, and an override must accept the same calls
  override handleRequest<Result>(error: unknown, bearer: AccessClaims | false, reason: unknown): Result {
    if (error) throw error;
    return (bearer || faultFor(reason)) as Result;
  }
}

/** Returns `expired` only for a token that this service signed, because jsonwebtoken checks the signature first. */
const faultFor = (reason: unknown): TokenFault =>
  typeof reason === 'object' && reason !== null && 'name' in reason && reason.name === 'TokenExpiredError'
    ? 'expired'
    : 'invalid';
