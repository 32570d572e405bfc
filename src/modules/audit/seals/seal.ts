import { hash, type KeyObject, sign, verify } from 'node:crypto';
import { encodeFields, textField } from './canonical.js';
import { HASH_BYTES } from './merkle.js';
import { formatPosition, type HistoryPosition } from '../../../common/history-position.js';

/** Entries under one seal at most: so much is read, hashed and held at a time. */
export const MAX_SEALED = 10_000;
/** What stands before the first seal. */
export const NO_SEAL = Buffer.alloc(HASH_BYTES);

const FORMAT = 'gatehouse audit seal 1';

/** What a seal says. */
export interface SealStatement {
  /** From 1, without gaps. */
  readonly number: number;
  /** Of the last entry that it covers; the first one is the next after that of the seal before. */
  readonly position: HistoryPosition;
  readonly entries: number;
  /** Of the tree over the entries. */
  readonly root: Buffer;
  /** The hash of the seal before, or {@link NO_SEAL}. */
  readonly previous: Buffer;
  readonly sealedAt: Date;
  /** The key that signs. */
  readonly kid: string;
}

export interface Seal extends SealStatement {
  readonly hash: Buffer;
  /** Ed25519, of the hash. */
  readonly signature: Buffer;
}

/** A seal, with what its tree was made of: these tell which entry was touched. */
export interface StoredSeal extends Seal {
  readonly leafHashes: readonly Buffer[];
}

/** Of all that the seal says: so each hash, by `previous`, stands for the whole trail up to it. */
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

/** Hashes that lie one after the other. */
export function splitHashes(bytes: Buffer): Buffer[] {
  return Array.from({ length: Math.floor(bytes.length / HASH_BYTES) }, (_, index) =>
    bytes.subarray(index * HASH_BYTES, (index + 1) * HASH_BYTES),
  );
}
