import type { Request } from 'express';
import { AppError } from '../../common/errors/app-error.js';

export const KEY_HEADER = 'Idempotency-Key';
export const REPLAYED_HEADER = 'Idempotency-Replayed';
export const MAX_KEY_LENGTH = 255;
/** Visible ASCII (VCHAR of RFC 5234). Of a header given twice Node joins the values with a space in between. */
const KEY = new RegExp(`^[!-~]{1,${MAX_KEY_LENGTH}}$`);
/** Routes where the header is ignored: what they answer is not kept. */
const IGNORED = /^\/api\/auth\//;
/** Routes whose body is streamed, so that it cannot be compared with that of the first request. */
const STREAMED = /^\/api\/users\/import$/;

/** By the pattern of the route, as Express and the OpenAPI document spell it. */
export const takesIdempotencyKey = (method: string, route: string): boolean =>
  method === 'POST' && route.startsWith('/api/') && !IGNORED.test(route);

/** Returns whether a request is the same by its key alone, whatever its query and body are. */
export const keyDecidesAlone = (route: string): boolean => STREAMED.test(route);

/** Null when none was sent. @throws AppError `VALIDATION_ERROR` */
export function idempotencyKey(request: Request): string | null {
  const key = request.get(KEY_HEADER);
  if (key === undefined) return null;
  if (KEY.test(key)) return key;
  throw AppError.invalid(
    KEY_HEADER,
    `${KEY_HEADER} must be given once, as 1 to ${MAX_KEY_LENGTH} visible ASCII characters`,
  );
}
