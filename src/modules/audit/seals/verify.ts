import type { StoredEntry } from './leaf.js';
import { compareEntries } from './entry-faults.js';
import type { KeySet } from './key-set.js';
import { rootOf } from './merkle.js';
import type { Retention } from './retention.js';
import { RetentionCheck } from './retention-check.js';
import { BEGINNING, isAfter } from '../../../common/history-position.js';
import { isSignedBy, NO_SEAL, type Seal, sealHash, type StoredSeal } from './seal.js';

/** A seal, and the entries that stand between the one before and it. Without a seal: entries after the last. */
export interface Block {
  readonly entries: readonly StoredEntry[];
  readonly seal: StoredSeal | null;
}

/** A head that was kept where nobody who could change the trail could change it too. */
export type KeptHead = Pick<Seal, 'number' | 'hash'>;

export interface Trust {
  readonly keys: KeySet;
  readonly head?: KeptHead;
  /** The seal before the first block; none: the trail begins with the first. */
  readonly since?: Seal;
  /** What may be missing, and has to be signed. */
  readonly retentions?: readonly Retention[];
  /** The blocks end before the trail does: what announces a retention may come later. */
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

export interface Fault {
  readonly kind: FaultKind;
  /** The number of the seal at fault, or of the one that covers the entry. */
  readonly seal?: number;
  readonly entryId?: string;
  readonly message: string;
}

export interface Verdict {
  readonly valid: boolean;
  /** Sealed entries and seals that were found to be right: all of them, or those before the fault. */
  readonly entries: number;
  /** Sealed entries that are gone with their month, as a signed retention says; their hashes still lead to the roots. */
  readonly dropped: number;
  readonly seals: number;
  /** Entries after the last seal: nothing proves them yet. */
  readonly unsealed: number;
  /** Seals after the kept head, and without one all: whoever holds the keys could have cut some off. */
  readonly sealsAfterHead: number;
  readonly firstFault?: Fault;
}

/** Reads a trail from its beginning, or from a seal on, to its end or to its first fault. */
export async function verifyTrail(blocks: AsyncIterable<Block>, trust: Trust): Promise<Verdict> {
  let last = trust.since ?? null;
  const count = { entries: 0, dropped: 0, seals: 0, unsealed: 0, sealsAfterHead: 0 };
  const failed = (firstFault: Fault): Verdict => ({ valid: false, ...count, firstFault });
  const retained = new RetentionCheck(trust.retentions ?? []);
  const forged = retained.signatureFault(trust.keys);
  if (forged) return failed(forged);

  for await (const { seal, entries } of blocks) {
    if (!seal) {
      const intruder = entries.find((entry) => !isAfter(entry, last?.position ?? BEGINNING));
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

function sealFault(seal: StoredSeal, last: Seal | null, { keys, head }: Trust): Fault | null {
  const { number } = seal;
  const fault = (kind: FaultKind, message: string): Fault => ({ kind, seal: number, message });
  const expected = (last?.number ?? 0) + 1;
  if (number !== expected) {
    return {
      kind: 'seal_missing',
      seal: expected,
      message: `seal ${expected} is missing before seal ${number}`,
    };
  }
  if (!sealHash(seal).equals(seal.hash))
    return fault('seal_changed', `seal ${number} does not have its own hash`);
  if (!seal.previous.equals(last?.hash ?? NO_SEAL)) {
    return fault('chain_broken', `seal ${number} does not follow from the seal before it`);
  }
  const key = keys.get(seal.kid);
  if (!key) return fault('key_unknown', `seal ${number} is signed by a key that is not trusted`);
  if (!isSignedBy(seal, key)) return fault('signature_wrong', `seal ${number} is not signed by its key`);
  if (seal.leafHashes.length !== seal.entries || !rootOf(seal.leafHashes).equals(seal.root)) {
    return fault('seal_changed', `the hashes of the entries in seal ${number} do not lead to its root`);
  }
  if (number === head?.number && !seal.hash.equals(head.hash)) {
    return fault('head_replaced', `seal ${number} is not the head that was kept`);
  }
  return null;
}

async function compareBlock(
  seal: StoredSeal,
  entries: readonly StoredEntry[],
  retained: RetentionCheck,
): Promise<{ dropped: number; fault: Fault | null }> {
  const mayBeGone = retained.mayBeGone(seal);
  const { dropped, fault } = await compareEntries(entries, seal, mayBeGone);
  for (const retention of new Set(dropped.map((place) => mayBeGone.get(place)))) {
    if (retention) retained.use(retention);
  }
  return { dropped: dropped.length, fault: fault && { ...fault, seal: seal.number } };
}

const unsealedFault = (entry: StoredEntry): Fault => ({
  kind: 'entry_inserted',
  entryId: entry.id,
  message: 'an entry stands below the last seal and is in no seal',
});

/** Only a file can hold so many: reading stops at what a seal may hold. */
const overfullFault = ({ number }: Seal): Fault => ({
  kind: 'entry_inserted',
  seal: number,
  message: `more entries stand before seal ${number} than a seal can hold`,
});

function cutFault(last: Seal | null, head: KeptHead | undefined): Fault | null {
  const number = last?.number ?? 0;
  if (!head || number >= head.number) return null;
  return {
    kind: 'head_missing',
    seal: number + 1,
    message: `the trail ends with seal ${number}, and seal ${head.number} was kept: its end was cut off`,
  };
}
