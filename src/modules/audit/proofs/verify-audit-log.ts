import type { StoredEntry } from './leaf.js';
import { compareEntries } from './compare-entries.js';
import type { KeySet } from './key-set.js';
import { rootOf } from './merkle-tree.js';
import type { Retention } from './retention-statement.js';
import { RetentionChecker } from './retention.checker.js';
import { START_POSITION, isAfter } from '../../../common/event-position.js';
import { isSignedBy, NO_PREVIOUS_SEAL, type Seal, sealHash, type StoredSeal } from './seal.js';

/**
 * A seal with the entries between the previous seal and itself. Without a seal: the entries after the last
 * one.
 */
export interface SealedBlock {
  readonly entries: readonly StoredEntry[];
  readonly seal: StoredSeal | null;
}

/** A head stored where nobody who can change the audit log can also change the head. */
export type KeptHead = Pick<Seal, 'number' | 'hash'>;

export interface TrustAnchors {
  readonly keys: KeySet;
  readonly head?: KeptHead;
  /** The seal before the first block. Without it, the log begins with the first block. */
  readonly since?: Seal;
  /** The signed retentions of entries that may be absent. */
  readonly retentions?: readonly Retention[];
  /** True if the blocks end before the log does, so that a retention may be announced later. */
  readonly partial?: boolean;
}

export const faultKinds = [
  'entry_changed',
  'entry_missing',
  'entry_inserted',
  'entry_reordered',
  'seal_missing',
  'seal_changed',
  'chain_broken',
  'key_unknown',
  'signature_wrong',
  'head_missing',
  'head_replaced',
  'retention_forged',
  'retention_unannounced',
] as const;
export type FaultKind = (typeof faultKinds)[number];

export interface AuditFault {
  readonly kind: FaultKind;
  /** The number of the seal at fault, or of the seal that covers the entry. */
  readonly seal?: number;
  readonly entryId?: string;
  readonly message: string;
}

export interface AuditVerdict {
  readonly valid: boolean;
  /** The number of verified sealed entries: all of them, or those before the fault. */
  readonly entries: number;
  /** The number of sealed entries dropped under a signed retention. Their hashes still lead to the roots. */
  readonly dropped: number;
  readonly seals: number;
  /** The number of entries after the last seal, which nothing proves yet. */
  readonly unsealed: number;
  /**
   * The number of seals after the kept head, or of all seals without one. A holder of the keys could have
   * removed further ones.
   */
  readonly sealsAfterHead: number;
  readonly firstFault?: AuditFault;
}

/** Verifies an audit log from its beginning, or from a seal, to its end or first fault. */
export async function verifyAuditLog(
  blocks: AsyncIterable<SealedBlock>,
  trust: TrustAnchors,
): Promise<AuditVerdict> {
  let last = trust.since ?? null;
  const count = { entries: 0, dropped: 0, seals: 0, unsealed: 0, sealsAfterHead: 0 };
  const failed = (firstFault: AuditFault): AuditVerdict => ({ valid: false, ...count, firstFault });
  const retained = new RetentionChecker(trust.retentions ?? []);
  const forged = retained.signatureFault(trust.keys);
  if (forged) return failed(forged);

  for await (const { seal, entries } of blocks) {
    if (!seal) {
      const intruder = entries.find((entry) => !isAfter(entry, last?.position ?? START_POSITION));
      if (intruder) return failed(unsealedFault(intruder));
      count.unsealed += entries.length;
      continue;
    }
    if (count.unsealed > 0) return failed(overfullFault(seal));
    const fault = sealFault(seal, last, trust) ?? retained.sealFault(seal, last);
    if (fault) return failed(fault);
    const compared = await compareBlock(seal, entries, retained);
    if (compared.fault) return failed(compared.fault);
    last = seal;
    count.seals++;
    count.dropped += compared.dropped;
    count.entries += seal.entries - compared.dropped;
    if (seal.number > (trust.head?.number ?? 0)) count.sealsAfterHead++;
  }
  const walked = { since: trust.since ?? null, last, partial: trust.partial ?? false };
  const fault = cutFault(last, trust.head) ?? retained.endFault(walked);
  return fault ? failed(fault) : { valid: true, ...count };
}

function sealFault(seal: StoredSeal, last: Seal | null, { keys, head }: TrustAnchors): AuditFault | null {
  const { number } = seal;
  const fault = (kind: FaultKind, message: string): AuditFault => ({ kind, seal: number, message });
  const expected = (last?.number ?? 0) + 1;
  if (number !== expected) {
    return {
      kind: 'seal_missing',
      seal: expected,
      message: `seal ${expected} is missing before seal ${number}`,
    };
  }
  if (!sealHash(seal).equals(seal.hash))
    return fault('seal_changed', `seal ${number} does not match its hash`);
  if (!seal.previous.equals(last?.hash ?? NO_PREVIOUS_SEAL)) {
    return fault('chain_broken', `seal ${number} does not follow from the seal before it`);
  }
  const key = keys.get(seal.kid);
  if (!key) return fault('key_unknown', `seal ${number} is signed by an untrusted key`);
  if (!isSignedBy(seal, key)) return fault('signature_wrong', `seal ${number} has a wrong signature`);
  if (seal.leafHashes.length !== seal.entries || !rootOf(seal.leafHashes).equals(seal.root)) {
    return fault('seal_changed', `the hashes of the entries in seal ${number} do not lead to its root`);
  }
  if (number === head?.number && !seal.hash.equals(head.hash)) {
    return fault('head_replaced', `seal ${number} is not the kept head`);
  }
  return null;
}

async function compareBlock(
  seal: StoredSeal,
  entries: readonly StoredEntry[],
  retained: RetentionChecker,
): Promise<{ dropped: number; fault: AuditFault | null }> {
  const mayBeGone = retained.mayBeGone(seal);
  const { dropped, fault } = await compareEntries(entries, seal, mayBeGone);
  for (const retention of new Set(dropped.map((place) => mayBeGone.get(place)))) {
    if (retention) retained.use(retention);
  }
  return { dropped: dropped.length, fault: fault && { ...fault, seal: seal.number } };
}

const unsealedFault = (entry: StoredEntry): AuditFault => ({
  kind: 'entry_inserted',
  entryId: entry.id,
  message: 'an entry precedes the last seal but is in no seal',
});

/**
 * Reports a block that only a file can contain, because reading from the database stops at the size of a
 * seal.
 */
const overfullFault = ({ number }: Seal): AuditFault => ({
  kind: 'entry_inserted',
  seal: number,
  message: `more entries precede seal ${number} than a seal can hold`,
});

function cutFault(last: Seal | null, head: KeptHead | undefined): AuditFault | null {
  const number = last?.number ?? 0;
  if (!head || number >= head.number) return null;
  return {
    kind: 'head_missing',
    seal: number + 1,
    message: `the audit log ends with seal ${number}, but the kept head is seal ${head.number}; the end was removed`,
  };
}
