import { Inject, Injectable } from '@nestjs/common';
import { MASTER_KEY } from './cipher.service.js';
import { deriveKey, keyedDigest } from './keyed-digest.js';

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
    return keyedDigest(this.keyOf(purpose), parts);
  }

  private keyOf(purpose: string): Buffer {
    const known = this.keys.get(purpose);
    if (known) return known;
    const key = deriveKey(this.masterKey, purpose);
    this.keys.set(purpose, key);
    return key;
  }
}
