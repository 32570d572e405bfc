import {
  type Argon2Hash,
  type BcryptHash,
  type FirebaseHash,
  HashFault,
  type Pbkdf2Hash,
  type PhpassHash,
  type Reading,
  type ScryptHash,
  type ShaCryptHash,
} from '../hash.types.js';

/** Limits on the cost of one verification: a second or two of one core. A hash above them is rejected. */
const MAX_ARGON2_KIB = 2 ** 18;
/** Memory multiplied by passes; the defaults of the argon2 package are 3 * 2^16. */
const MAX_ARGON2_WORK = 2 ** 20;
const MAX_ARGON2_LANES = 16;
/** Lower, because version 1.0 cannot be verified at low priority and each lane is a thread. */
const MAX_ARGON2_LANES_OF_FIRST_VERSION = 4;
const BCRYPT_COST = { min: 4, max: 14 } as const;
const MAX_SCRYPT_LOG_N = 17;
/** The product N * r * p; the strongest parameters that OWASP recommends give 2^20. */
const MAX_SCRYPT_WORK = 2 ** 21;
/**
 * Iterations multiplied by blocks of output. SHA-1 takes less time for one, and Keycloak 24 derives four
 * blocks with 1,300,000 iterations.
 */
const MAX_PBKDF2_WORK = { sha1: 6_000_000, sha256: 2_000_000, sha512: 2_000_000 } as const;
/** The minimum is that of the algorithm; the defaults of passlib are 535,000 and 656,000. */
const SHA_CRYPT_ROUNDS = { min: 1000, max: 1_000_000 } as const;
/** The minimum is that of the algorithm; WordPress uses 13 and phpBB 11. */
const PHPASS_LOG_ROUNDS = { min: 7, max: 20 } as const;

/** An inclusive range, of bytes where nothing else is said. */
export interface Range {
  readonly min: number;
  readonly max: number;
}

/** The salts of formats that encode it. RFC 9106 requires eight bytes for argon2. */
export const ENCODED_SALT: Range = { min: 8, max: 64 };
/** The salts that other systems write as text, and those of fixed length. NIST SP 800-63B requires 32 bits. */
export const SHORT_SALT: Range = { min: 4, max: 64 };
/**
 * The allowed digest lengths, for formats without a fixed length. A shorter digest is easier to match by
 * chance.
 */
const DIGEST: Range = { min: 16, max: 64 };
/** The digest lengths that known systems derive with PBKDF2: the output of either hash function. */
const PBKDF2_DIGEST_BYTES: ReadonlySet<number> = new Set([32, 64]);
const SHA1_BYTES = 20;

/** Returns the number of times that PBKDF2 runs its iterations for the digest. */
export const blocksOf = (hash: Pbkdf2Hash['hash'], digest: Uint8Array): number =>
  Math.ceil(digest.length / { sha1: SHA1_BYTES, sha256: 32, sha512: 64 }[hash]);

export function checkArgon2(scheme: string, hash: Argon2Hash): Argon2Hash | HashFault {
  const { version, memoryKib, passes, lanes, salt, digest } = hash;
  const maxLanes = version === 19 ? MAX_ARGON2_LANES : MAX_ARGON2_LANES_OF_FIRST_VERSION;
  // RFC 9106, 3.1, requires eight blocks for each lane.
  return (
    outside(scheme, 'lane count', lanes, { min: 1, max: maxLanes }) ??
    outside(scheme, 'memory', memoryKib, { min: 8 * lanes, max: MAX_ARGON2_KIB }, ' KiB') ??
    outside(scheme, 'pass count', passes, { min: 1, max: Math.floor(MAX_ARGON2_WORK / memoryKib) }) ??
    sizeFault(scheme, 'salt', salt, ENCODED_SALT) ??
    sizeFault(scheme, 'digest', digest, DIGEST) ??
    hash
  );
}

export const checkBcrypt = (scheme: string, hash: BcryptHash): BcryptHash | HashFault =>
  outside(scheme, 'cost', hash.cost, BCRYPT_COST) ?? hash;

export function checkScrypt(
  scheme: string,
  hash: ScryptHash,
  saltBytes: Range = ENCODED_SALT,
): ScryptHash | HashFault {
  return (
    scryptCostFault(scheme, hash) ??
    sizeFault(scheme, 'salt', hash.salt, saltBytes) ??
    sizeFault(scheme, 'digest', hash.digest, DIGEST) ??
    hash
  );
}

export function checkFirebase(scheme: string, hash: FirebaseHash): FirebaseHash | HashFault {
  return (
    scryptCostFault(scheme, { ...hash, parallelism: 1 }) ??
    sizeFault(scheme, 'salt', hash.salt, SHORT_SALT) ??
    sizeFault(scheme, 'digest', hash.digest, DIGEST) ??
    hash
  );
}

function scryptCostFault(
  scheme: string,
  { logN, blockSize: r, parallelism: p }: Pick<ScryptHash, 'logN' | 'blockSize' | 'parallelism'>,
): HashFault | null {
  // RFC 7914, 2, requires log2(N) < 16 * r, and OpenSSL rejects anything else.
  return (
    outside(scheme, 'block size r', r, { min: 1, max: MAX_SCRYPT_WORK }) ??
    outside(scheme, 'parallelism p', p, { min: 1, max: MAX_SCRYPT_WORK }) ??
    outside(scheme, 'log2(N)', logN, { min: 1, max: Math.min(MAX_SCRYPT_LOG_N, 16 * r - 1) }) ??
    outside(scheme, 'product N × r × p', 2 ** logN * r * p, { min: 1, max: MAX_SCRYPT_WORK })
  );
}

export function checkPbkdf2(
  scheme: string,
  hash: Pbkdf2Hash,
  saltBytes: Range = ENCODED_SALT,
): Pbkdf2Hash | HashFault {
  const { length } = hash.digest;
  if (!PBKDF2_DIGEST_BYTES.has(length) && !(hash.hash === 'sha1' && length === SHA1_BYTES)) {
    const accepted = hash.hash === 'sha1' ? '20, 32 or 64' : '32 or 64';
    return new HashFault(`is ${scheme}: its digest has ${length} bytes instead of ${accepted}`);
  }
  return checkIterations(scheme, hash, saltBytes);
}

/** Checks a PBKDF2 hash whose format allows digests of any length. */
export function checkIterations(scheme: string, hash: Pbkdf2Hash, saltBytes: Range): Pbkdf2Hash | HashFault {
  const max = Math.floor(MAX_PBKDF2_WORK[hash.hash] / Math.max(blocksOf(hash.hash, hash.digest), 1));
  return (
    outside(scheme, 'iteration count', hash.iterations, { min: 1, max }) ??
    sizeFault(scheme, 'salt', hash.salt, saltBytes) ??
    sizeFault(scheme, 'digest', hash.digest, DIGEST) ??
    hash
  );
}

export function checkShaCrypt(scheme: string, hash: ShaCryptHash): ShaCryptHash | HashFault {
  return (
    outside(scheme, 'round count', hash.rounds, SHA_CRYPT_ROUNDS) ??
    outside(scheme, 'salt', hash.salt.length, SHORT_SALT, ' characters') ??
    hash
  );
}

export const checkPhpass = (scheme: string, hash: PhpassHash): PhpassHash | HashFault =>
  outside(scheme, 'log2 of rounds', hash.logRounds, PHPASS_LOG_ROUNDS) ?? hash;

/** Returns the fault of text that has the prefix of a scheme and not its form. */
export const malformed = (scheme: string, form: string): HashFault =>
  new HashFault(`is ${scheme}, but not of the form ${form}`);

/** Returns the fault of a salt, digest or key that its scheme encodes and that cannot be decoded. */
export const undecodable = (scheme: string): HashFault =>
  new HashFault(`is ${scheme}: its salt or digest is not exactly what an encoder writes`);

/** Returns whether a reading failed, and narrows its type. */
export const isFault = (reading: Reading | null): reading is HashFault => reading instanceof HashFault;

function sizeFault(scheme: string, part: string, bytes: Uint8Array, range: Range): HashFault | null {
  return outside(scheme, part, bytes.length, range, ' bytes');
}

function outside(
  scheme: string,
  what: string,
  value: number,
  { min, max }: Range,
  unit = '',
): HashFault | null {
  if (value > max)
    return new HashFault(`is ${scheme}: its ${what} of ${value}${unit} is above the limit of ${max}${unit}`);
  if (value < min)
    return new HashFault(
      `is ${scheme}: its ${what} of ${value}${unit} is below the minimum of ${min}${unit}`,
    );
  return null;
}
