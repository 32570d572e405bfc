import type { Principal } from '../../common/authorization/principal.js';
import type { Config } from '../../config/config.js';

export const WINDOW_MS = 60_000;

export type Tier = 'anonymous' | 'authenticated' | 'premium';

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
  };
  return limits[tier];
}
