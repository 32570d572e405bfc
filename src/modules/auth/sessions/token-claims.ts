import { canonicalId } from '../../../common/ids.js';
import type { VerifiedToken } from '../principals/verified-token.cache.js';

export type TokenClaims = Readonly<Record<string, unknown>>;

/** The claims of a verified access token that the service needs. */
export interface AccessClaims extends VerifiedToken {
  /** The expiry in seconds since 1970. */
  readonly exp: number;
}

/** Returns the user and the session in the claims of a token, or null if a claim is missing or is not an id. */
export function readSession(claims: TokenClaims): VerifiedToken | null {
  const userId = canonicalId(claims['sub']);
  const sessionId = canonicalId(claims['sid']);
  return userId !== null && sessionId !== null ? { userId, sessionId } : null;
}

/**
 * Returns the user, the session and the expiry (in seconds since 1970) in the claims of an access token. Returns null if
 * a claim is missing or is not valid.
 */
export function readAccess(claims: TokenClaims): AccessClaims | null {
  const session = readSession(claims);
  const { exp } = claims;
  return session && typeof exp === 'number' ? { ...session, exp } : null;
}
