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
  /** The system that hashes the password before bcrypt does; null when bcrypt reads the password itself. */
  readonly prehash: 'django' | 'wordpress' | null;
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
  readonly hash: 'sha1' | 'sha256' | 'sha512';
  readonly iterations: number;
  readonly salt: Uint8Array;
  readonly digest: Uint8Array;
}

/** Drepper's hash of `crypt(3)`: `$5$` with SHA-256, `$6$` with SHA-512. */
export interface ShaCryptHash {
  readonly algorithm: 'sha-crypt';
  readonly hash: 'sha256' | 'sha512';
  readonly rounds: number;
  readonly salt: string;
  /** The digest in the alphabet of `crypt(3)`. */
  readonly digest: string;
}

/** The portable hash of phpass, an iterated MD5: `$P$`, or `$H$` in phpBB. */
export interface PhpassHash {
  readonly algorithm: 'phpass';
  readonly logRounds: number;
  readonly salt: string;
  /** The digest in the alphabet of `crypt(3)`. */
  readonly digest: string;
}

/** Firebase's scrypt: its output encrypts the project's signer key, and the result is the digest. */
export interface FirebaseHash {
  readonly algorithm: 'firebase-scrypt';
  readonly logN: number;
  readonly blockSize: number;
  /** The user's salt, followed by the project's separator. */
  readonly salt: Uint8Array;
  readonly digest: Uint8Array;
  /** The project's signer key, or the id under which it is stored. */
  readonly signer: Uint8Array | string;
}

export type StoredHash =
  Argon2Hash | BcryptHash | ScryptHash | Pbkdf2Hash | ShaCryptHash | PhpassHash | FirebaseHash;

/**
 * The reason to refuse a hash, as the predicate of a sentence about it. It names a scheme and numbers, and
 * contains no other part of the text.
 */
export class HashFault {
  constructor(readonly reason: string) {}
}

/** The result of reading a hash. */
export type Reading = StoredHash | HashFault;
