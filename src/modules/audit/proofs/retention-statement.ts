import { hash, type KeyObject, sign } from 'node:crypto';
import type { EventPosition } from '../../../common/event-position.js';
import { encodeFields, textField } from './encode-fields.js';

const FORMAT = 'gatehouse audit retention 1';
const LEAF_RUN = /^([1-9]\d{0,14})\.(\d{1,4})-([1-9]\d{0,14})\.(\d{1,4})$/;
/**
 * The maximum number of runs per retention. A month fills long runs of leaves; months alternate only around
 * midnight, when commits come late.
 */
export const MAX_RUNS = 100_000;

/** The maximum number of retentions, at one per month. */
export const MAX_RETENTIONS = 10_000;

/** The place of an entry's hash: the number of its seal and its index in that seal, from 0. */
export interface LeafIndex {
  readonly seal: number;
  readonly index: number;
}

/** Consecutive leaves across any number of seals. Both ends are included. */
export interface LeafRun {
  readonly from: LeafIndex;
  readonly to: LeafIndex;
}

/** A statement that the entries of a month may be absent from now on. */
export interface RetentionStatement {
  /** The month as `YYYY-MM`, in UTC. */
  readonly month: string;
  readonly entries: number;
  /** The places of the month's entries in the seals, in order. */
  readonly leaves: readonly LeafRun[];
  /**
   * The hash of the last seal that covers them. It represents the whole log up to that seal, and so every
   * hash that `leaves` names.
   */
  readonly sealHash: Buffer;
  readonly announcedAt: Date;
  /** The id of the signing key. */
  readonly kid: string;
}

export interface SignedRetention extends RetentionStatement {
  readonly hash: Buffer;
  /** The Ed25519 signature of the hash. */
  readonly signature: Buffer;
}

/** A retention with its announcing audit entry: the entry's position and its bytes (`leafData`). */
export interface Retention extends SignedRetention {
  readonly position: EventPosition;
  readonly entry: Buffer;
}

export const RETENTION_ACTION = 'audit.retention';
export const RETENTION_TARGET = 'audit_month';

/**
 * Returns the target of the announcing entry. It is not encrypted, so the audit log itself holds the
 * retention's hash.
 */
export const announcedTarget = ({ month, hash: own }: SignedRetention): string =>
  `${month}:${own.toString('hex')}`;

/**
 * Returns true if these are the bytes of an entry that announces the retention. Such bytes hold the fields in
 * order, each with its length.
 */
export const announces = (entry: Buffer, retention: SignedRetention): boolean =>
  entry.includes(
    encodeFields([RETENTION_ACTION, RETENTION_TARGET, announcedTarget(retention), 'success'].map(textField)),
  );

export function retentionHash(statement: RetentionStatement): Buffer {
  const fields = [
    textField(FORMAT),
    textField(statement.month),
    textField(String(statement.entries)),
    textField(formatLeaves(statement.leaves)),
    statement.sealHash,
    textField(statement.announcedAt.toISOString()),
    textField(statement.kid),
  ];
  return hash('sha256', encodeFields(fields), 'buffer');
}

export function signRetention(statement: RetentionStatement, privateKey: KeyObject): SignedRetention {
  const own = retentionHash(statement);
  return { ...statement, hash: own, signature: sign(null, own, privateKey) };
}

/**
 * Formats runs such as `12.0-480.33 481.2-481.2`: from the first leaf of seal 12 to the 34th of seal 480, and
 * the third of seal 481.
 */
export const formatLeaves = (runs: readonly LeafRun[]): string =>
  runs.map(({ from, to }) => `${from.seal}.${from.index}-${to.seal}.${to.index}`).join(' ');

/** @returns null if the text is not in this format */
export function parseLeaves(text: string): LeafRun[] | null {
  const runs: LeafRun[] = [];
  for (const run of text === '' ? [] : text.split(' ', MAX_RUNS + 1)) {
    const [, seal, place, toSeal, toPlace] = LEAF_RUN.exec(run) ?? [];
    if (seal === undefined) return null;
    runs.push({
      from: { seal: Number(seal), index: Number(place) },
      to: { seal: Number(toSeal), index: Number(toPlace) },
    });
  }
  return runs.length > MAX_RUNS ? null : runs;
}
