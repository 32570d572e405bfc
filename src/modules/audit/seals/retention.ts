import { hash, type KeyObject, sign } from 'node:crypto';
import type { HistoryPosition } from '../../../common/history-position.js';
import { encodeFields, textField } from './canonical.js';

const FORMAT = 'gatehouse audit retention 1';
const RUN = /^([1-9]\d{0,14})\.(\d{1,4})-([1-9]\d{0,14})\.(\d{1,4})$/;
/** Months are dropped in runs of leaves; only around midnight, where commits come late, do months alternate. */
export const MAX_RUNS = 100_000;

/** A bound: one a month. */
export const MAX_RETENTIONS = 10_000;

/** The place of an entry's hash: the number of the seal, and where it stands there, from 0. */
export interface LeafPlace {
  readonly seal: number;
  readonly place: number;
}

/** Leaves that follow one another, over any number of seals; both ends belong to it. */
export interface LeafRun {
  readonly from: LeafPlace;
  readonly to: LeafPlace;
}

/** What a retention says: from now on the entries of a month need not be there. */
export interface RetentionStatement {
  /** `YYYY-MM`, in UTC. */
  readonly month: string;
  readonly entries: number;
  /** Where its entries stand in the seals, in order. */
  readonly leaves: readonly LeafRun[];
  /** Of the last seal among these: it stands for the whole trail up to there, so for every hash that `leaves` names. */
  readonly sealHash: Buffer;
  readonly announcedAt: Date;
  /** The key that signs. */
  readonly kid: string;
}

export interface SignedRetention extends RetentionStatement {
  readonly hash: Buffer;
  /** Ed25519, of the hash. */
  readonly signature: Buffer;
}

/** With the entry of the trail that announces it: where that stands, and its bytes (`leafData`). */
export interface Retention extends SignedRetention {
  readonly position: HistoryPosition;
  readonly entry: Buffer;
}

export const RETENTION_ACTION = 'audit.retention';
export const RETENTION_TARGET = 'audit_month';

/** What the entry that announces it names, in the open: so the trail itself holds the retention's hash. */
export const announcedTarget = ({ month, hash: own }: SignedRetention): string =>
  `${month}:${own.toString('hex')}`;

/** Whether these are the bytes of an entry that announces it. Fields follow one another there, each with its length. */
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

/** `12.0-480.33 481.2-481.2`: from the first leaf of seal 12 to the 34th of seal 480, and the third of seal 481. */
export const formatLeaves = (runs: readonly LeafRun[]): string =>
  runs.map(({ from, to }) => `${from.seal}.${from.place}-${to.seal}.${to.place}`).join(' ');

/** @returns null for a text that is not one of these */
export function parseLeaves(text: string): LeafRun[] | null {
  const runs: LeafRun[] = [];
  for (const run of text === '' ? [] : text.split(' ', MAX_RUNS + 1)) {
    const [, seal, place, toSeal, toPlace] = RUN.exec(run) ?? [];
    if (seal === undefined) return null;
    runs.push({
      from: { seal: Number(seal), place: Number(place) },
      to: { seal: Number(toSeal), place: Number(toPlace) },
    });
  }
  return runs.length > MAX_RUNS ? null : runs;
}
