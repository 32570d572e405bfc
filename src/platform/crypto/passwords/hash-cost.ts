import { blocksOf } from './formats/limits.js';
import type { StoredHash } from './hash.types.js';

/** The parameters of our own hashes, OWASP's first choice for argon2id: 19 MiB, two passes, one lane. */
export const OWN_PARAMETERS = {
  type: 'argon2id',
  version: 19,
  memoryKib: 19_456,
  passes: 2,
  lanes: 1,
} as const;
export const OWN_SALT_BYTES = 16;
export const OWN_DIGEST_BYTES = 32;

/**
 * Units of work that cost as much CPU time as one of our own hashes, measured on x86-64 with SHA extensions.
 * They need only be roughly right, because they limit queues and pad cheap hashes.
 */
const EQUIVALENT = {
  argon2: OWN_PARAMETERS.memoryKib * OWN_PARAMETERS.passes,
  bcrypt: 2 ** 8 * 1.7,
  /** The product N * r * p. */
  scrypt: 103_000,
  /** Iterations multiplied by blocks of output. */
  sha1: 200_000,
  sha256: 145_000,
  sha512: 65_000,
  /** Rounds for a password of usual length. */
  shaCrypt: { sha256: 24_000, sha512: 19_000 },
  /** Rounds for a password of usual length. */
  phpass: 24_000,
} as const;

/** Returns the cost of a verification, where one of our own hashes costs 1. */
export function relativeCost(hash: StoredHash): number {
  switch (hash.algorithm) {
    case 'argon2':
      return (hash.memoryKib * hash.passes) / EQUIVALENT.argon2;
    case 'bcrypt':
      return 2 ** hash.cost / EQUIVALENT.bcrypt;
    case 'scrypt':
      return (2 ** hash.logN * hash.blockSize * hash.parallelism) / EQUIVALENT.scrypt;
    case 'pbkdf2':
      return (hash.iterations * blocksOf(hash.hash, hash.digest)) / EQUIVALENT[hash.hash];
    case 'sha-crypt':
      return hash.rounds / EQUIVALENT.shaCrypt[hash.hash];
    case 'phpass':
      return 2 ** hash.logRounds / EQUIVALENT.phpass;
    default:
      return (2 ** hash.logN * hash.blockSize) / EQUIVALENT.scrypt;
  }
}

/** Tells whether the hash has the parameters with which this service hashes passwords. */
export function isOwn(hash: StoredHash): boolean {
  return (
    hash.algorithm === 'argon2' &&
    hash.type === OWN_PARAMETERS.type &&
    hash.version === OWN_PARAMETERS.version &&
    hash.memoryKib === OWN_PARAMETERS.memoryKib &&
    hash.passes === OWN_PARAMETERS.passes &&
    hash.lanes === OWN_PARAMETERS.lanes &&
    hash.digest.length === OWN_DIGEST_BYTES
  );
}

/**
 * Returns a key that is equal for hashes that take equally long to verify: everything but salt and digest.
 */
export function formatOf(hash: StoredHash): string {
  return parametersOf(hash).join('/');
}

function parametersOf(hash: StoredHash): (string | number)[] {
  switch (hash.algorithm) {
    case 'argon2':
      return [hash.type, hash.version, hash.memoryKib, hash.passes, hash.lanes, hash.digest.length];
    case 'bcrypt':
      return [hash.algorithm, hash.cost];
    case 'scrypt':
      return [hash.algorithm, hash.logN, hash.blockSize, hash.parallelism];
    case 'pbkdf2':
      return [hash.algorithm, hash.hash, hash.iterations, hash.digest.length];
    case 'sha-crypt':
      return [hash.algorithm, hash.hash, hash.rounds];
    case 'phpass':
      return [hash.algorithm, hash.logRounds];
    default:
      return [hash.algorithm, hash.logN, hash.blockSize];
  }
}
