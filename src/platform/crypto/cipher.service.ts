import { createCipheriv, createDecipheriv } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { nextRandomBytes } from '../../common/random-bytes.js';
import { deriveKey, keyedDigest } from './keyed-digest.js';

export const MASTER_KEY = Symbol('MasterKey');

const FORMAT = 1;
const FORMAT_BYTE = Buffer.of(FORMAT);
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/**
 * Encrypts stored secrets with the master key (AES-256-GCM, NIST SP 800-38D). `purpose` is authenticated too,
 * so that an encrypted value cannot be moved to a place where another is expected.
 */
@Injectable()
export class Cipher {
  constructor(@Inject(MASTER_KEY) private readonly key: Buffer) {}

  encrypt(plain: Buffer, purpose: string): Buffer {
    const nonce = nextRandomBytes(NONCE_BYTES);
    const aes = createCipheriv('aes-256-gcm', this.key, nonce);
    aes.setAAD(Buffer.from(purpose));
    const encrypted = aes.update(plain);
    // Adds nothing in this mode, and the tag exists only afterwards.
    aes.final();
    return Buffer.concat([FORMAT_BYTE, nonce, aes.getAuthTag(), encrypted]);
  }

  /**
   * Returns a digest of the text that cannot be computed or checked without this key. Uses a derived key, so that no
   * key both encrypts and makes digests.
   */
  digest(text: string, purpose: string): Buffer {
    return keyedDigest(deriveKey(this.key, purpose), [text]);
  }

  /**
   * Decrypts a value.
   * @throws when the key or the purpose differs or a bit has changed
   */
  decrypt(encrypted: Buffer, purpose: string): Buffer {
    if (encrypted[0] !== FORMAT) throw new Error('an encrypted value has an unknown format');
    const nonce = encrypted.subarray(1, 1 + NONCE_BYTES);
    const tag = encrypted.subarray(1 + NONCE_BYTES, 1 + NONCE_BYTES + TAG_BYTES);
    const decipher = createDecipheriv('aes-256-gcm', this.key, nonce, { authTagLength: TAG_BYTES });
    decipher.setAAD(Buffer.from(purpose));
    decipher.setAuthTag(tag);
    const body = encrypted.subarray(1 + NONCE_BYTES + TAG_BYTES);
    return Buffer.concat([decipher.update(body), decipher.final()]);
  }
}
