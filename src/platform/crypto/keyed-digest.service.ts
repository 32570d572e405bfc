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
  /** The keys by purpose. They are few, because purposes are constants of the code. */
  private readonly keys = new Map<string, Buffer>();

  constructor(@Inject(MASTER_KEY) private readonly masterKey: Buffer) {}

  /** Returns the digest of the parts. Part boundaries count: `['ab', 'c']` and `['a', 'bc']` differ. */
  digest(purpose: string, parts: readonly (string | Buffer)[]): Buffer {
    const hmac = createHmac('sha256', this.keyOf(purpose));
    for (const part of parts) {
      const bytes = Buffer.from(part);
      hmac.update(`${bytes.length}:`).update(bytes);
    }
    return hmac.digest();
  }

  private keyOf(purpose: string): Buffer {
    const known = this.keys.get(purpose);
    if (known) return known;
    const key = Buffer.from(hkdfSync('sha256', this.masterKey, Buffer.alloc(0), purpose, KEY_BYTES));
    this.keys.set(purpose, key);
    return key;
  }
}
