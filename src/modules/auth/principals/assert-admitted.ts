import type { Request } from 'express';
import type { Policy } from '../../../common/authorization/policy.decorator.js';
import type { Principal } from '../../../common/authorization/principal.types.js';
import type { RequestContext } from '../../../common/context/request-context.js';
import { AppError } from '../../../common/errors/app.error.js';
import { unauthorized } from '../../../common/http/bearer-token.js';
import { normalizeId } from '../../../common/ids.js';

/**
 * Enforces the policy of a route. A route without a policy refuses every caller.
 * @throws AppError `UNAUTHORIZED`, `FORBIDDEN`, or `NOT_FOUND` for another user's record
 */
export function assertAdmitted(
  policy: Policy | undefined,
  { principal, refusal }: RequestContext['caller'],
  request: Request,
): void {
  if (policy?.kind === 'public') return;
  if (!principal) throw unauthorized(refusal);
  if (!policy) throw new AppError('FORBIDDEN');
  if (admits(policy, principal)) return;
  if (policy.kind !== 'self-or-permission') throw new AppError('FORBIDDEN');
  if (normalizeId(request.params['id']) !== principal.userId)
    throw new AppError('NOT_FOUND', { denied: true });
}

function admits(policy: Exclude<Policy, { kind: 'public' }>, { permissions }: Principal): boolean {
  if (policy.kind === 'signed-in') return true;
  if (policy.kind === 'one-of') return policy.permissions.some((each) => permissions.has(each));
  if (policy.kind === 'all-of') return policy.permissions.every((each) => permissions.has(each));
  return permissions.has(policy.permission);
}
