import { createHmac, hkdfSync } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { MASTER_KEY } from './cipher.service.js';

const KEY_BYTES = 32;

/**
 * Computes digests (HMAC-SHA-256) of values that must not be guessable from them, such as a body that holds a
 * password. Each purpose has its own key, derived from the master key (RFC 5869).
 */
@Injectable()
export class KeyedDigestService {
  constructor(@Inject(MASTER_KEY) private readonly masterKey: Buffer) {}

  /** Returns the digest of the parts. Part boundaries count: `['ab', 'c']` and `['a', 'bc']` differ. */
  digest(purpose: string, parts: readonly (string | Buffer)[]): Buffer {
    const key = hkdfSync('sha256', this.masterKey, Buffer.alloc(0), purpose, KEY_BYTES);
    const hmac = createHmac('sha256', Buffer.from(key));
    for (const part of parts) {
      const bytes = Buffer.from(part);
      hmac.update(`${bytes.length}:`).update(bytes);
    }
    return hmac.digest();
  }
}
