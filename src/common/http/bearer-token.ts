import type { Request } from 'express';
import type { TokenRefusal } from '../authorization/principal.types.js';
import { AppError } from '../errors/app.error.js';

const BEARER = /^bearer(?: +(.*))?$/i;

/** Returns the token of the `Authorization` header (RFC 6750), or null without one. Never reads the URL. */
export const bearerToken = (request: Request): string | null => bearerTokenOf(request.headers.authorization);

/** Returns the token in the value of an `Authorization` header. */
export function bearerTokenOf(authorization = ''): string | null {
  const match = BEARER.exec(authorization);
  return match ? (match[1] ?? '').trim() : null;
}

/** Tells the holder of a token what to do. Only a token that this service signed can be expired or have a session. */
const REFUSALS: Readonly<Record<TokenRefusal, string>> = {
  invalid: 'The access token is not valid',
  expired: 'The access token has expired: get a new one with the refresh token',
  ended: 'The session has ended: sign in again',
};

/** Returns the challenge of RFC 6750, section 3. `refusal` is null when no token was sent. */
export function unauthorized(
  refusal: TokenRefusal | null,
  message = refusal === null ? undefined : REFUSALS[refusal],
): AppError {
  const challenge = refusal === null ? 'Bearer' : 'Bearer error="invalid_token"';
  return new AppError('UNAUTHORIZED', {
    ...(message !== undefined && { message }),
    headers: { 'WWW-Authenticate': challenge },
  });
}
