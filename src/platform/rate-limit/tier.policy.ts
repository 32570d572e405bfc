import { type ExecutionContext, SetMetadata } from '@nestjs/common';
import type { Principal } from '../../common/authorization/principal.types.js';
import type { Config } from '../../config/config.js';

export const WINDOW_MS = 60_000;

export const tiers = ['anonymous', 'authenticated', 'premium', 'sign_in', 'introspect'] as const;
export type Tier = (typeof tiers)[number];

const OWN_TIER = 'gatehouse:own-tier';

const limitedAs = (tier: Tier) => SetMetadata(OWN_TIER, tier);

/** Counts every request to the route in the sign-in bucket of its network, with or without a token. */
export const SignInLimited = () => limitedAs('sign_in');

/** Counts requests with a valid token in a bucket of their own for each user. */
export const IntrospectLimited = () => limitedAs('introspect');

const LATE = 'gatehouse:limited-late';

/**
 * Leaves requests without an access token to the handler, which may know their caller by something else. It must count each
 * of them with `RateLimiter.takeLate`.
 */
export const LimitedLate = () => SetMetadata(LATE, true);

export const isLimitedLate = (context: ExecutionContext): boolean =>
  Reflect.getMetadata(LATE, context.getHandler()) === true;

/** Returns the tier of a request: that of its route if it has its own bucket, else that of its caller. */
export function tierFor(context: ExecutionContext, principal: Principal | null): Tier {
  const own = Reflect.getMetadata(OWN_TIER, context.getHandler()) as Tier | undefined;
  return own === 'sign_in' || (own !== undefined && principal) ? own : tierOf(principal);
}

const PREMIUM_ROLES: ReadonlySet<string> = new Set(['premium', 'admin']);

/** Returns the highest tier among the user's roles; without a user, `anonymous`. */
export function tierOf(principal: Principal | null): Tier {
  if (!principal) return 'anonymous';
  return principal.roles.some((role) => PREMIUM_ROLES.has(role)) ? 'premium' : 'authenticated';
}

const LIMITS = {
  anonymous: 'RATE_LIMIT_ANONYMOUS',
  authenticated: 'RATE_LIMIT_AUTHENTICATED',
  premium: 'RATE_LIMIT_PREMIUM',
  sign_in: 'RATE_LIMIT_SIGN_IN',
  introspect: 'RATE_LIMIT_INTROSPECT',
} as const satisfies Record<Tier, keyof Config>;

/** Returns the maximum number of requests in a window; 0 means unlimited. */
export const limitOf = (tier: Tier, config: Pick<Config, (typeof LIMITS)[Tier]>): number =>
  config[LIMITS[tier]];
