import { createHmac, hkdfSync } from 'node:crypto';

const KEY_BYTES = 32;

/** Derives a key for one purpose from another key (RFC 5869). The key of one purpose does not reveal that of another. */
export const deriveKey = (key: Buffer, purpose: string): Buffer =>
  Buffer.from(hkdfSync('sha256', key, Buffer.alloc(0), purpose, KEY_BYTES));

/** Returns the HMAC-SHA-256 of the parts. Part boundaries count: `['ab', 'c']` and `['a', 'bc']` differ. */
export function keyedDigest(key: Buffer, parts: readonly (string | Buffer)[]): Buffer {
  const hmac = createHmac('sha256', key);
  for (const part of parts) {
    const bytes = Buffer.from(part);
    hmac.update(`${bytes.length}:`).update(bytes);
  }
  return hmac.digest();
}
