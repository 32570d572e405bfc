import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { Request } from 'express';
import { type Policy, policyOf } from '../../../common/authorization/policy.decorator.js';
import type { Principal } from '../../../common/authorization/principal.types.js';
import { requestContext } from '../../../common/context/request-context.js';
import { AppError } from '../../../common/errors/app.error.js';
import { unauthorized } from '../../../common/http/bearer-token.js';
import { normalizeId } from '../../../common/ids.js';

/** Enforces the policy that each route declares. A route without a policy refuses every caller. */
@Injectable()
export class PolicyGuard implements CanActivate {
  constructor(private readonly reflector: Reflector) {}

  canActivate(context: ExecutionContext): true {
    const policy = policyOf(this.reflector, context);
    if (policy?.kind === 'public') return true;
    const caller = signedIn();
    if (!policy) throw new AppError('FORBIDDEN');
    if (admits(policy, caller)) return true;
    if (policy.kind !== 'self-or-permission') throw new AppError('FORBIDDEN');
    if (isSelf(caller, context)) return true;
    throw new AppError('NOT_FOUND', { denied: true });
  }
}

function admits(policy: Exclude<Policy, { kind: 'public' }>, { permissions }: Principal): boolean {
  if (policy.kind === 'signed-in') return true;
  if (policy.kind === 'one-of') return policy.permissions.some((each) => permissions.has(each));
  return permissions.has(policy.permission);
}

function signedIn(): Principal {
  const caller = requestContext.current()?.caller;
  if (caller?.principal) return caller.principal;
  throw unauthorized(caller?.rejected ?? false);
}

function isSelf(caller: Principal, context: ExecutionContext): boolean {
  const { id } = context.switchToHttp().getRequest<Request>().params;
  return normalizeId(id) === caller.userId;
}
