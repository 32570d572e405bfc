import { argon2Sync, pbkdf2Sync, scryptSync, timingSafeEqual } from 'node:crypto';
import { argon2d, argon2i, argon2id, hash as deriveArgon2 } from 'argon2';
import { compareSync } from 'bcrypt';
import { OWN_PARAMETERS, OWN_DIGEST_BYTES, OWN_SALT_BYTES, relativeCost } from './hash-cost.js';
import type { Argon2Hash, Pbkdf2Hash, ScryptHash, StoredHash } from './stored-hash.js';

/** The number of password bytes that bcrypt reads. */
export const BCRYPT_BYTES = 72;
/** The minimum memory of one lane, in KiB. */
const MIN_PADDING_KIB = 8;
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
  if (hash.algorithm === 'argon2')
    return hash.version === OWN_PARAMETERS.version
      ? verifyArgon2(hash, password)
      : verifyArgon2InPool(hash, password);
  if (hash.algorithm === 'bcrypt')
    return compareSync(Buffer.from(password).subarray(0, BCRYPT_BYTES), hash.text);
  return hash.algorithm === 'scrypt' ? verifyScrypt(hash, password) : verifyPbkdf2(hash, password);
}

function verifyScrypt({ logN, blockSize: r, parallelism: p, salt, digest }: ScryptHash, password: string) {
  const maxmem = 256 * r * (2 ** logN + p);
  return timingSafeEqual(scryptSync(password, salt, digest.length, { N: 2 ** logN, r, p, maxmem }), digest);
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
