import { randomBytes } from 'node:crypto';

/** Serves some 256 ids or 341 nonces. */
const DRAWN_BYTES = 4096;
let drawn = Buffer.alloc(0);

/**
 * Returns random bytes for an id or a nonce. Draws them for many callers at once, because 16 bytes cost as much as
 * thousands. Keys must not come from here: callers share a buffer, so a key would stay in memory after its last use.
 */
export function nextRandomBytes(size: number): Buffer {
  if (drawn.length < size) drawn = randomBytes(Math.max(size, DRAWN_BYTES));
  const bytes = drawn.subarray(0, size);
  drawn = drawn.subarray(size);
  return bytes;
}
