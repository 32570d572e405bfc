import type { Request } from 'express';
import { AppError } from '../errors/app.error.js';

const BEARER = /^bearer(?: +(.*))?$/i;

/** Returns the token of the `Authorization` header (RFC 6750), or null without one. Never reads the URL. */
export const bearerToken = (request: Request): string | null => bearerTokenOf(request.headers.authorization);

/** Returns the token in the value of an `Authorization` header. */
export function bearerTokenOf(authorization = ''): string | null {
  const match = BEARER.exec(authorization);
  return match ? (match[1] ?? '').trim() : null;
}

/** Returns the challenge of RFC 6750, section 3. `rejected` is true when a token was sent and is invalid. */
export function unauthorized(rejected: boolean, message?: string): AppError {
  const challenge = rejected ? 'Bearer error="invalid_token"' : 'Bearer';
  return new AppError('UNAUTHORIZED', {
    ...(message !== undefined && { message }),
    headers: { 'WWW-Authenticate': challenge },
  });
}
