import { hash, type KeyObject, sign, verify } from 'node:crypto';
import { encodeFields, textField } from './encode-fields.js';
import { HASH_BYTES } from './merkle-tree.js';
import { formatPosition, type EventPosition } from '../../../common/event-position.js';

/** The maximum number of entries per seal, and so of entries read, hashed and held in memory at a time. */
export const MAX_ENTRIES_PER_SEAL = 10_000;
/** The `previous` hash of the first seal. */
export const NO_PREVIOUS_SEAL = Buffer.alloc(HASH_BYTES);

const FORMAT = 'gatehouse audit seal 1';

/** The signed content of a seal. */
export interface SealStatement {
  /** The number of the seal, from 1 without gaps. */
  readonly number: number;
  /** The position of the last entry covered. The first is the next one after the previous seal's position. */
  readonly position: EventPosition;
  readonly entries: number;
  /** The root of the tree over the entries. */
  readonly root: Buffer;
  /** The hash of the previous seal, or {@link NO_PREVIOUS_SEAL}. */
  readonly previous: Buffer;
  readonly sealedAt: Date;
  /** The id of the signing key. */
  readonly kid: string;
}

export interface Seal extends SealStatement {
  readonly hash: Buffer;
  /** The Ed25519 signature of the hash. */
  readonly signature: Buffer;
}

/** A seal with the leaf hashes of its tree. They identify an entry that was changed. */
export interface StoredSeal extends Seal {
  readonly leafHashes: readonly Buffer[];
}

/** Hashes the whole statement. Through `previous`, each hash represents the audit log up to its seal. */
export function sealHash(seal: SealStatement): Buffer {
  const fields = [
    textField(FORMAT),
    textField(String(seal.number)),
    textField(formatPosition(seal.position)),
    textField(String(seal.entries)),
    seal.root,
    seal.previous,
    textField(seal.sealedAt.toISOString()),
    textField(seal.kid),
  ];
  return hash('sha256', encodeFields(fields), 'buffer');
}

export function signSeal(statement: SealStatement, privateKey: KeyObject): Seal {
  const own = sealHash(statement);
  return { ...statement, hash: own, signature: sign(null, own, privateKey) };
}

export const isSignedBy = (seal: Seal, publicKey: KeyObject): boolean =>
  verify(null, seal.hash, publicKey, seal.signature);

/** Splits concatenated hashes. */
export function splitHashes(bytes: Buffer): Buffer[] {
  return Array.from({ length: Math.floor(bytes.length / HASH_BYTES) }, (_, index) =>
    bytes.subarray(index * HASH_BYTES, (index + 1) * HASH_BYTES),
  );
}
