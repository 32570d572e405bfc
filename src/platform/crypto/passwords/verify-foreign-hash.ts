import {
  argon2Sync,
  createCipheriv,
  createHmac,
  hash as digestOf,
  pbkdf2Sync,
  scryptSync,
  timingSafeEqual,
} from 'node:crypto';
import { argon2d, argon2i, argon2id, hash as deriveArgon2 } from 'argon2';
import { compareSync } from 'bcrypt';
import { OWN_PARAMETERS, OWN_DIGEST_BYTES, OWN_SALT_BYTES, relativeCost } from './hash-cost.js';
import type {
  Argon2Hash,
  BcryptHash,
  FirebaseHash,
  Pbkdf2Hash,
  ScryptHash,
  StoredHash,
} from './hash.types.js';
import { phpass, shaCrypt } from './slow-digests.js';

/** The number of password bytes that bcrypt reads. */
export const BCRYPT_BYTES = 72;
/** The minimum memory of one lane, in KiB. */
const MIN_PADDING_KIB = 8;
/** The key that separates WordPress's hashes from other uses of HMAC. */
const WORDPRESS_KEY = 'wp-sha384';
/** The characters that PHP's trim removes. */
const PHP_SPACE = ' \n\r\t\v\0';
const AES_KEY_BYTES = 32;
const AES_BLOCK_BYTES = 16;
const TYPES = { argon2d, argon2i, argon2id } as const;

/**
 * Tells whether one of the spellings of a password matches the hash. Blocks the thread, except for argon2
 * version 1.0, which Node.js does not support.
 */
export async function verifyStored(hash: StoredHash, spellings: readonly string[]): Promise<boolean> {
  for (const spelling of spellings) if (await verifyOne(hash, spelling)) return true;
  return false;
}

/** Verifies like `verifyStored`, and pads a hash that is cheaper than our own to the same cost. */
export async function verifyPadded(hash: StoredHash, spellings: readonly string[]): Promise<boolean> {
  const matches = await verifyStored(hash, spellings);
  padCost(relativeCost(hash));
  return matches;
}

function verifyOne(hash: StoredHash, password: string): boolean | Promise<boolean> {
  switch (hash.algorithm) {
    case 'argon2':
      return hash.version === OWN_PARAMETERS.version
        ? verifyArgon2(hash, password)
        : verifyArgon2InPool(hash, password);
    case 'bcrypt':
      return compareSync(bcryptInput(hash, password), hash.text);
    case 'scrypt':
      return verifyScrypt(hash, password);
    case 'pbkdf2':
      return verifyPbkdf2(hash, password);
    case 'sha-crypt':
      return timingSafeEqual(Buffer.from(shaCrypt(hash, Buffer.from(password))), Buffer.from(hash.digest));
    case 'phpass':
      return timingSafeEqual(Buffer.from(phpass(hash, Buffer.from(password))), Buffer.from(hash.digest));
    default:
      return verifyFirebase(hash, password);
  }
}

/** Returns the bytes that bcrypt hashes, which other systems derive from the password in their own way. */
function bcryptInput({ prehash }: BcryptHash, password: string): Buffer {
  if (prehash === 'django') return Buffer.from(digestOf('sha256', password));
  if (prehash === 'wordpress')
    return Buffer.from(createHmac('sha384', WORDPRESS_KEY).update(trimLikePhp(password)).digest('base64'));
  return Buffer.from(password).subarray(0, BCRYPT_BYTES);
}

/** Trims the characters that PHP trims, as WordPress does before it hashes a password. */
export function trimLikePhp(text: string): string {
  let [start, end] = [0, text.length];
  while (start < end && PHP_SPACE.includes(text.charAt(start))) start++;
  while (end > start && PHP_SPACE.includes(text.charAt(end - 1))) end--;
  return text.slice(start, end);
}

function verifyScrypt({ logN, blockSize: r, parallelism: p, salt, digest }: ScryptHash, password: string) {
  const maxmem = 256 * r * (2 ** logN + p);
  return timingSafeEqual(scryptSync(password, salt, digest.length, { N: 2 ** logN, r, p, maxmem }), digest);
}

/**
 * Encrypts the signer key of the project with a key that scrypt derives from the password (AES-256 in counter
 * mode), and compares the result.
 */
function verifyFirebase(
  { logN, blockSize: r, salt, digest, signer }: FirebaseHash,
  password: string,
): boolean {
  if (typeof signer === 'string') throw new Error('a signer key must be read before its hash is verified');
  const maxmem = 256 * r * (2 ** logN + 1);
  const key = scryptSync(password, salt, AES_KEY_BYTES, { N: 2 ** logN, r, p: 1, maxmem });
  const aes = createCipheriv('aes-256-ctr', key, Buffer.alloc(AES_BLOCK_BYTES));
  const encrypted = Buffer.concat([aes.update(signer), aes.final()]);
  return encrypted.length === digest.length && timingSafeEqual(encrypted, digest);
}

function verifyPbkdf2({ hash, salt, iterations, digest }: Pbkdf2Hash, password: string): boolean {
  return timingSafeEqual(pbkdf2Sync(password, salt, iterations, digest.length, hash), digest);
}

function verifyArgon2(hash: Argon2Hash, password: string): boolean {
  const { type, memoryKib: memory, passes, lanes: parallelism, salt: nonce, digest } = hash;
  const options = { message: password, nonce, memory, passes, parallelism, tagLength: digest.length };
  return timingSafeEqual(argon2Sync(type, options), digest);
}

/** Verifies our own hashes and those of version 1.0 in the process's thread pool. */
export async function verifyArgon2InPool(hash: Argon2Hash, password: string): Promise<boolean> {
  const derived = await deriveArgon2(password, {
    raw: true,
    type: TYPES[hash.type],
    version: hash.version,
    memoryCost: hash.memoryKib,
    timeCost: hash.passes,
    parallelism: hash.lanes,
    salt: Buffer.from(hash.salt),
    hashLength: hash.digest.length,
  });
  return timingSafeEqual(derived, hash.digest);
}

/** Does the remaining work that one of our own hashes would take. */
function padCost(cost: number): void {
  const memory = Math.round(OWN_PARAMETERS.memoryKib * (1 - cost));
  if (memory < MIN_PADDING_KIB) return;
  argon2Sync(OWN_PARAMETERS.type, {
    message: '',
    nonce: Buffer.alloc(OWN_SALT_BYTES),
    memory,
    passes: OWN_PARAMETERS.passes,
    parallelism: OWN_PARAMETERS.lanes,
    tagLength: OWN_DIGEST_BYTES,
  });
}
