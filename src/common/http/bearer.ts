import type { Request } from 'express';
import { AppError } from '../errors/app-error.js';

const BEARER = /^bearer(?: +(.*))?$/i;

/** The token of the `Authorization` header (RFC 6750); null when none was sent. Never from the URL. */
export const bearerToken = (request: Request): string | null => bearerTokenOf(request.headers.authorization);

/** The token of the value of an `Authorization` header. */
export function bearerTokenOf(authorization = ''): string | null {
  const match = BEARER.exec(authorization);
  return match ? (match[1] ?? '').trim() : null;
}

/** The challenge of RFC 6750, section 3: `rejected` when a token was sent and is not valid. */
export function unauthorized(rejected: boolean, message?: string): AppError {
  const challenge = rejected ? 'Bearer error="invalid_token"' : 'Bearer';
  return new AppError('UNAUTHORIZED', {
    ...(message !== undefined && { message }),
    headers: { 'WWW-Authenticate': challenge },
  });
}
