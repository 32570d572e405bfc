import { argon2id, hash } from 'argon2';
import { verifyArgon2InPool } from './verify-foreign-hash.js';
import { isOwn, OWN_PARAMETERS } from './hash-cost.js';
import { parseStoredHash } from './stored-hash.js';

const PARAMETERS = {
  type: argon2id,
  memoryCost: OWN_PARAMETERS.memoryKib,
  timeCost: OWN_PARAMETERS.passes,
  parallelism: OWN_PARAMETERS.lanes,
} as const;

/**
 * Returns a PHC string. Hashes the NFC form, so that the spellings of different keyboards match. It has no
 * queue: the service hashes through `PasswordHasher`, and commands call this.
 */
export function hashPassword(password: string): Promise<string> {
  return hash(password.normalize('NFC'), PARAMETERS);
}

/** Tells whether the password matches a hash made by `hashPassword`. Returns false for every other hash. */
export async function matchesOwnHash(password: string, stored: string): Promise<boolean> {
  const hashed = parseStoredHash(stored);
  if (hashed?.algorithm !== 'argon2' || !isOwn(hashed)) return false;
  return verifyArgon2InPool(hashed, password.normalize('NFC'));
}
