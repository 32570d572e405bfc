import { createHash, timingSafeEqual } from 'node:crypto';
import { bearerTokenOf, unauthorized } from '../../common/http/bearer-token.js';

/**
 * Checks the `Authorization` header of a metrics request. Without a configured token, every caller may read
 * metrics.
 * @throws AppError `UNAUTHORIZED`
 */
export function assertMetricsToken(authorization: string | undefined, token: string | undefined): void {
  if (token === undefined) return;
  const given = bearerTokenOf(authorization);
  if (given === null) throw unauthorized(null);
  if (!timingSafeEqual(digest(given), digest(token)))
    throw unauthorized('invalid', 'The metrics token is not valid');
}

/** Returns a digest, which has the same length for every input, as timingSafeEqual requires. */
const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
