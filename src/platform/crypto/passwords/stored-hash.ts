/** Limits on the cost of one verification: a second or two of one core. A hash above them is rejected. */
const MAX_ARGON2_KIB = 2 ** 18;
/** Memory multiplied by passes; the defaults of the argon2 package are 3 * 2^16. */
const MAX_ARGON2_WORK = 2 ** 20;
const MAX_ARGON2_LANES = 16;
/** Lower, because version 1.0 cannot be verified at low priority and each lane is a thread. */
const MAX_ARGON2_LANES_OF_FIRST_VERSION = 4;
const MIN_BCRYPT_COST = 4;
const MAX_BCRYPT_COST = 14;
const MAX_SCRYPT_LOG_N = 17;
/** The product N * r * p; the strongest parameters that OWASP recommends give 2^20. */
const MAX_SCRYPT_WORK = 2 ** 21;
/** Iterations multiplied by blocks of output. */
const MAX_PBKDF2_WORK = 2_000_000;

/** The allowed salt lengths in bytes. RFC 9106 requires eight for argon2. */
const SALT_BYTES = { min: 8, max: 64 } as const;
/**
 * The allowed digest lengths in bytes, for formats without a fixed length. A shorter digest is easier to
 * match by chance.
 */
const DIGEST_BYTES = { min: 16, max: 64 } as const;
/** The digest lengths that known systems derive: the output of either hash function. */
const PBKDF2_DIGEST_BYTES: ReadonlySet<number> = new Set([32, 64]);

export interface Argon2Hash {
  readonly algorithm: 'argon2';
  readonly type: 'argon2d' | 'argon2i' | 'argon2id';
  readonly version: 16 | 19;
  readonly memoryKib: number;
  readonly passes: number;
  readonly lanes: number;
  readonly salt: Uint8Array;
  readonly digest: Uint8Array;
}

export interface BcryptHash {
  readonly algorithm: 'bcrypt';
  readonly cost: number;
  /** The hash with the prefix `$2b$`, the only one that the bcrypt package implements without an overflow. */
  readonly text: string;
}

export interface ScryptHash {
  readonly algorithm: 'scrypt';
  readonly logN: number;
  readonly blockSize: number;
  readonly parallelism: number;
  readonly salt: Uint8Array;
  readonly digest: Uint8Array;
}

export interface Pbkdf2Hash {
  readonly algorithm: 'pbkdf2';
  readonly hash: 'sha256' | 'sha512';
  readonly iterations: number;
  readonly salt: Uint8Array;
  readonly digest: Uint8Array;
}

export type StoredHash = Argon2Hash | BcryptHash | ScryptHash | Pbkdf2Hash;

const NUMBER = '(0|[1-9]\\d{0,6})';
const BYTES = '([A-Za-z\\d+/]{11,86})';
/** Base64 with or without padding; passlib writes `.` for `+`. */
const LOOSE_BYTES = '([A-Za-z\\d+/.]{11,86}={0,2})';

/** Matches both parameter orders: the argon2 package writes `m,p,t`, the reference implementation `m,t,p`. */
const ARGON2 = new RegExp(
  `^\\$(argon2id|argon2i|argon2d)(?:\\$v=(16|19))?\\$m=${NUMBER},(?:t=${NUMBER},p=${NUMBER}|p=${NUMBER},t=${NUMBER})\\$${BYTES}\\$${BYTES}$`,
);
/**
 * Checks the last character of salt and digest, which carries fewer than six bits; the other bits must be
 * zero.
 */
const BCRYPT = /^\$2[aby]\$(\d\d)\$([./A-Za-z\d]{21}[.Oeu][./A-Za-z\d]{30}[.CGKOSWaeimquy26])$/;
const SCRYPT = new RegExp(
  `^\\$scrypt\\$ln=${NUMBER},r=${NUMBER},p=${NUMBER}\\$${LOOSE_BYTES}\\$${LOOSE_BYTES}$`,
);
/** Matches the PHC spelling (`i=600000`, optionally `,l=32`) and passlib's (only the number). */
const PBKDF2 = new RegExp(
  `^\\$pbkdf2-(sha256|sha512)\\$(?:i=${NUMBER}(?:,l=${NUMBER})?|${NUMBER})\\$${LOOSE_BYTES}\\$${LOOSE_BYTES}$`,
);

/**
 * Parses a stored password hash with a strict grammar. Returns null for a hash that no known system writes or
 * that is too expensive to verify. The import and every verification use it, so that a hash is never trusted
 * just because it is stored.
 */
export function parseStoredHash(text: string): StoredHash | null {
  return parseArgon2(text) ?? parseBcrypt(text) ?? parseScrypt(text) ?? parsePbkdf2(text);
}

function parseArgon2(text: string): Argon2Hash | null {
  const match = ARGON2.exec(text);
  if (!match) return null;
  const [, type, version = '16', m, t, p, otherP, otherT, ...bytes] = match;
  const [memoryKib, passes, lanes] = [Number(m), Number(t ?? otherT), Number(p ?? otherP)];
  const [salt, digest] = bytes.map(decodeBase64);
  // RFC 9106, 3.1, requires eight blocks for each lane.
  const affordable =
    lanes >= 1 &&
    lanes <= (version === '19' ? MAX_ARGON2_LANES : MAX_ARGON2_LANES_OF_FIRST_VERSION) &&
    memoryKib >= 8 * lanes &&
    memoryKib <= MAX_ARGON2_KIB &&
    passes >= 1 &&
    memoryKib * passes <= MAX_ARGON2_WORK;
  if (!affordable || !isWithin(salt, SALT_BYTES) || !isWithin(digest, DIGEST_BYTES)) return null;
  return {
    algorithm: 'argon2',
    type: type as Argon2Hash['type'],
    version: Number(version) as Argon2Hash['version'],
    memoryKib,
    passes,
    lanes,
    salt,
    digest,
  };
}

function parseBcrypt(text: string): BcryptHash | null {
  const match = BCRYPT.exec(text);
  const cost = Number(match?.[1]);
  if (!match || cost < MIN_BCRYPT_COST || cost > MAX_BCRYPT_COST) return null;
  return { algorithm: 'bcrypt', cost, text: `$2b$${match[1]}$${match[2]}` };
}

function parseScrypt(text: string): ScryptHash | null {
  const match = SCRYPT.exec(text);
  if (!match) return null;
  const [logN, blockSize, parallelism] = match.slice(1, 4).map(Number) as [number, number, number];
  const [salt, digest] = match.slice(4).map(decodeBase64);
  const affordable =
    logN >= 1 &&
    logN <= MAX_SCRYPT_LOG_N &&
    // RFC 7914, 2, requires this, and OpenSSL rejects anything else.
    logN < 16 * blockSize &&
    parallelism >= 1 &&
    2 ** logN * blockSize * parallelism <= MAX_SCRYPT_WORK;
  if (!affordable || !isWithin(salt, SALT_BYTES) || !isWithin(digest, DIGEST_BYTES)) return null;
  return { algorithm: 'scrypt', logN, blockSize, parallelism, salt, digest };
}

function parsePbkdf2(text: string): Pbkdf2Hash | null {
  const match = PBKDF2.exec(text);
  if (!match) return null;
  const [, name, i, length, bare, ...bytes] = match;
  const hash = name as Pbkdf2Hash['hash'];
  const iterations = Number(i ?? bare);
  const [salt, digest] = bytes.map(decodeBase64);
  if (!isWithin(salt, SALT_BYTES) || !digest || !PBKDF2_DIGEST_BYTES.has(digest.length)) return null;
  if (length !== undefined && Number(length) !== digest.length) return null;
  const work = iterations * blocksOf(hash, digest);
  return work >= 1 && work <= MAX_PBKDF2_WORK
    ? { algorithm: 'pbkdf2', hash, iterations, salt, digest }
    : null;
}

/** Returns the number of times that PBKDF2 runs its iterations for the digest. */
export const blocksOf = (hash: Pbkdf2Hash['hash'], digest: Uint8Array): number =>
  Math.ceil(digest.length / (hash === 'sha256' ? 32 : 64));

/**
 * Decodes base64. Returns null unless the text is exactly what an encoder writes for these bytes, with or
 * without padding.
 */
function decodeBase64(text: string): Uint8Array | null {
  const standard = text.includes('+') ? text : text.replaceAll('.', '+');
  const bytes = Buffer.from(standard, 'base64');
  const canonical = bytes.toString('base64');
  return standard === canonical || standard === canonical.replace(/=+$/, '') ? bytes : null;
}

function isWithin(
  bytes: Uint8Array | null | undefined,
  { min, max }: { readonly min: number; readonly max: number },
): bytes is Uint8Array {
  return bytes !== null && bytes !== undefined && bytes.length >= min && bytes.length <= max;
}
