import type { Permission } from './permissions.js';

/**
 * The reason why a request with an access token has no caller. The token is `invalid` if this service did not sign it,
 * `expired` after its own lifetime, and `ended` once its session has ended.
 */
export type TokenRefusal = 'invalid' | 'expired' | 'ended';

/** The authenticated caller of a request. */
export interface Principal {
  readonly userId: string;
  readonly sessionId: string;
  readonly roles: readonly string[];
  readonly permissions: ReadonlySet<Permission>;
}
