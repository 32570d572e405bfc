import { blocksOf, type StoredHash } from './stored-hash.js';

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
  sha256: 145_000,
  sha512: 65_000,
} as const;

/** Returns the cost of a verification, where one of our own hashes costs 1. */
export function relativeCost(hash: StoredHash): number {
  if (hash.algorithm === 'argon2') return (hash.memoryKib * hash.passes) / EQUIVALENT.argon2;
  if (hash.algorithm === 'bcrypt') return 2 ** hash.cost / EQUIVALENT.bcrypt;
  if (hash.algorithm === 'scrypt')
    return (2 ** hash.logN * hash.blockSize * hash.parallelism) / EQUIVALENT.scrypt;
  return (hash.iterations * blocksOf(hash.hash, hash.digest)) / EQUIVALENT[hash.hash];
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
  if (hash.algorithm === 'argon2')
    return [hash.type, hash.version, hash.memoryKib, hash.passes, hash.lanes, hash.digest.length];
  if (hash.algorithm === 'bcrypt') return [hash.algorithm, hash.cost];
  if (hash.algorithm === 'scrypt') return [hash.algorithm, hash.logN, hash.blockSize, hash.parallelism];
  return [hash.algorithm, hash.hash, hash.iterations, hash.digest.length];
}
