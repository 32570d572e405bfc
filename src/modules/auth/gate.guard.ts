import { type CanActivate, type ExecutionContext, Injectable, type RawBodyRequest } from '@nestjs/common';
import type { NextFunction, Request } from 'express';
import type { Principal, TokenRefusal } from '../../common/authorization/principal.types.js';
import { AppError } from '../../common/errors/app.error.js';
import { bearerToken } from '../../common/http/bearer-token.js';
import { FeatureFlags } from '../../platform/feature-flags/feature-flags.service.js';
import { BodyReader } from '../../platform/http/body/body.reader.js';
import { parseInput } from '../../platform/http/body/parse-input.js';
import { EdgeContext } from '../../platform/http/edge/edge-context.js';
import type { FlagCondition } from '../../platform/feature-flags/behind-flag.decorator.js';
import { type RouteFacts, routeFacts } from '../../platform/http/route-facts.js';
import { isRunOnce } from '../../platform/idempotency/idempotency.decorator.js';
import { RateLimiter } from '../../platform/rate-limit/rate-limiter.service.js';
import { assertAdmitted } from './principals/assert-admitted.js';
import { PrincipalsService } from './principals/principals.service.js';
import { TokenAuthenticator, type TokenFault } from './principals/token.authenticator.js';
import { type VerifiedToken, VerifiedTokenCache } from './principals/verified-token.cache.js';

/** A request on its way through the gate. */
interface Arrival {
  readonly context: ExecutionContext;
  readonly request: RawBodyRequest<Request>;
  readonly edge: EdgeContext;
  readonly route: RouteFacts;
}

/**
 * Authenticates the caller, counts the request against its rate limit, enforces the policy, asks the
 * route's feature flag, reads the body and parses the input, in this order. Returns a promise only when it must wait: for a caller who is not cached, for Redis, for a
 * flag, or for a body.
 */
@Injectable()
export class GateGuard implements CanActivate {
  constructor(
    private readonly verified: VerifiedTokenCache,
    private readonly authenticator: TokenAuthenticator,
    private readonly principals: PrincipalsService,
    private readonly limiter: RateLimiter,
    private readonly flags: FeatureFlags,
    private readonly bodies: BodyReader,
  ) {}

  /**
   * Makes no closure. With V8 14, a closure over a constant of this method keeps finished requests in memory until the
   * next full collection (ADR 63).
   */
  canActivate(context: ExecutionContext): boolean | Promise<boolean> {
    const edge = EdgeContext.current();
    if (!edge) throw new Error('a request must pass the edge before the gate');
    const request = context.getArgByIndex<RawBodyRequest<Request>>(0);
    const route = routeFacts(context);
    edge.route = route;
    if (!route.streamedTypes) edge.onTimeout = context.getArgByIndex<NextFunction>(2);
    const arrival = { context, request, edge, route };
    const token = route.isOperational ? null : bearerToken(request);
    if (token === null) return this.limitRate(arrival);
    const verified = this.verified.find(token);
    const principal = verified ? this.principals.remembered(verified) : undefined;
    return principal === undefined
      ? this.lookUpCaller(arrival, verified)
      : this.setCaller(arrival, principal, 'ended');
  }

  private async lookUpCaller(arrival: Arrival, verified: VerifiedToken | null): Promise<boolean> {
    const known = verified ?? (await this.verify(arrival));
    if (typeof known === 'string') return this.setCaller(arrival, null, known);
    return this.setCaller(arrival, await this.principals.find(known.userId, known.sessionId), 'ended');
  }

  private async verify({ context, request }: Arrival): Promise<VerifiedToken | TokenFault> {
    const access = await this.authenticator.verify(context);
    if (typeof access !== 'string') this.verified.remember(bearerToken(request) ?? '', access, access.exp);
    return access;
  }

  /** Sets the caller. Without a principal, sets the reason why the token was refused. */
  private setCaller(
    arrival: Arrival,
    principal: Principal | null,
    refusal: TokenRefusal,
  ): boolean | Promise<boolean> {
    arrival.edge.caller = { principal, refusal: principal === null ? refusal : null };
    return this.limitRate(arrival);
  }

  private limitRate(arrival: Arrival): boolean | Promise<boolean> {
    const { context, edge, route } = arrival;
    const waiting = route.isOperational ? null : this.limiter.take(context, edge.caller.principal);
    return waiting ? waiting.then(() => this.authorize(arrival)) : this.authorize(arrival);
  }

  private authorize(arrival: Arrival): boolean | Promise<boolean> {
    const { request, edge, route } = arrival;
    assertAdmitted(route.policy, edge.caller, request);
    return route.flag ? this.askFlag(arrival, route.flag) : this.readBody(arrival);
  }

  private async askFlag(arrival: Arrival, { flag, isExempt }: FlagCondition): Promise<boolean> {
    const { request, edge } = arrival;
    const { principal } = edge.caller;
    if (!isExempt?.(request, principal)) await this.flags.assertOn(flag, principal?.userId ?? null);
    return this.readBody(arrival);
  }

  private readBody(arrival: Arrival): boolean | Promise<boolean> {
    const { request, route } = arrival;
    const body = this.bodies.read(request, route);
    return body ? body.then(() => this.parse(arrival)) : this.parse(arrival);
  }

  private parse({ context, request, edge, route }: Arrival): true {
    // The client has the 504, so the handler must not begin.
    if (edge.hasTimedOut) throw new AppError('TIMEOUT');
    // A repeated request gets its first answer, even if that refused its input.
    if (!isRunOnce(context, request)) parseInput(request, route);
    return true;
  }
}
