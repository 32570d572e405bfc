import type { Permission } from './permissions.js';

/** Why a request with an access token has no caller: the token is none of ours, has expired, or its session has ended. */
export type TokenRefusal = 'invalid' | 'expired' | 'ended';

/** The authenticated caller of a request. */
export interface Principal {
  readonly userId: string;
  readonly sessionId: string;
  readonly roles: readonly string[];
  readonly permissions: ReadonlySet<Permission>;
}
