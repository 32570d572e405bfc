import { randomBytes } from 'node:crypto';

const DRAWN_BYTES = 4096;
let drawn = Buffer.alloc(0);

/**
 * Returns `size` random bytes, at most 4096. They are drawn for many callers at once, because a draw costs as
 * much for 16 bytes as for thousands. Not for keys: the bytes stay in memory as long as any of their
 * neighbours.
 */
export function nextRandomBytes(size: number): Buffer {
  if (drawn.length < size) drawn = randomBytes(DRAWN_BYTES);
  const bytes = drawn.subarray(0, size);
  drawn = drawn.subarray(size);
  return bytes;
}
