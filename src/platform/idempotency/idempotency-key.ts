import type { Request } from 'express';
import { AppError } from '../../common/errors/app-error.js';

export const KEY_HEADER = 'Idempotency-Key';
export const REPLAYED_HEADER = 'Idempotency-Replayed';
export const MAX_KEY_LENGTH = 255;
/**
 * Matches visible ASCII (VCHAR of RFC 5234). Node joins the values of a repeated header with a space, which
 * does not match.
 */
const KEY = new RegExp(`^[!-~]{1,${MAX_KEY_LENGTH}}$`);
/** Routes that ignore the header because their responses are not stored. */
const IGNORED = /^\/api\/auth\//;
/** Routes whose body is streamed, so that it cannot be compared with that of the first request. */
const STREAMED = /^\/api\/users\/import$/;

/**
 * Tells whether a route accepts a key. `route` is the pattern, as Express and the OpenAPI document spell it.
 */
export const takesIdempotencyKey = (method: string, route: string): boolean =>
  method === 'POST' && route.startsWith('/api/') && !IGNORED.test(route);

/** Tells whether the key alone identifies a request, whatever its query and body. */
export const keyDecidesAlone = (route: string): boolean => STREAMED.test(route);

/**
 * Returns the request's key, or null when none was sent.
 * @throws AppError `VALIDATION_ERROR`
 */
export function idempotencyKey(request: Request): string | null {
  const key = request.get(KEY_HEADER);
  if (key === undefined) return null;
  if (KEY.test(key)) return key;
  throw AppError.invalid(
    KEY_HEADER,
    `${KEY_HEADER} must be sent once, with 1 to ${MAX_KEY_LENGTH} visible ASCII characters`,
  );
}
