import { type ExecutionContext, SetMetadata } from '@nestjs/common';
import type { Principal } from '../../common/authorization/principal.js';
import type { Config } from '../../config/config.js';

export const WINDOW_MS = 60_000;

export type Tier = 'anonymous' | 'authenticated' | 'premium' | 'sign_in';

const SIGN_IN_LIMITED = 'gatehouse:sign-in-limited';

/** Counts every request to the route in the sign-in bucket of its address, with or without a token. */
export const SignInLimited = () => SetMetadata(SIGN_IN_LIMITED, true);

/** @returns the tier of a request: of its route if that has a bucket of its own, else of its caller */
export const tierFor = (context: ExecutionContext, principal: Principal | null): Tier =>
  Reflect.getMetadata(SIGN_IN_LIMITED, context.getHandler()) === true ? 'sign_in' : tierOf(principal);

const PREMIUM_ROLES: ReadonlySet<string> = new Set(['premium', 'admin']);

/** The highest tier among the account's roles; nobody's requests are anonymous. */
export function tierOf(principal: Principal | null): Tier {
  if (!principal) return 'anonymous';
  return principal.roles.some((role) => PREMIUM_ROLES.has(role)) ? 'premium' : 'authenticated';
}

/** Requests in a window; 0 is without limit. */
export function limitOf(tier: Tier, config: Config): number {
  const limits = {
    anonymous: config.RATE_LIMIT_ANONYMOUS,
    authenticated: config.RATE_LIMIT_AUTHENTICATED,
    premium: config.RATE_LIMIT_PREMIUM,
    sign_in: config.RATE_LIMIT_SIGN_IN,
  };
  return limits[tier];
}
