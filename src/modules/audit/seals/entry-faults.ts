import { leafHash, leafHashes, type StoredEntry } from './leaf.js';
import type { StoredSeal } from './seal.js';

export type EntryFaultKind = 'entry_changed' | 'entry_missing' | 'entry_inserted' | 'entry_reordered';

export interface EntryFault {
  readonly kind: EntryFaultKind;
  /** Of an entry that is there; a missing one has left only its hash. */
  readonly entryId?: string;
  readonly message: string;
}

/**
 * Compares the entries that are there, in their order, with those that were sealed, and names the
 * first that is not as it was. Of more entries than were sealed one too many is enough.
 */
export async function findEntryFault(
  entries: readonly StoredEntry[],
  { number, leafHashes: sealed }: StoredSeal,
): Promise<EntryFault | null> {
  const found = await leafHashes(entries);
  const at = firstDifference(found, sealed);
  if (at === null) return null;
  const entry = entries[at];
  const place = `entry ${at + 1} of the ${sealed.length} in seal ${number}`;
  // The place of retention: entries of a month that a signed retention entry has dropped belong here, and are no fault.
  if (!entry) return { kind: 'entry_missing', message: `${place} is missing` };

  const kind = kindOf(at, { entries, found, sealed });
  const messages: Readonly<Record<EntryFaultKind, string>> = {
    entry_changed: `${place} is not as it was sealed`,
    entry_missing: `${place} is missing; where it stood comes the one named here`,
    entry_inserted: `an entry stands before ${place} that was never sealed`,
    entry_reordered: `${place} has changed its place with another`,
  };
  return { kind, entryId: entry.id, message: messages[kind] };
}

interface Compared {
  readonly entries: readonly StoredEntry[];
  readonly found: readonly Buffer[];
  readonly sealed: readonly Buffer[];
}

function firstDifference(found: readonly Buffer[], sealed: readonly Buffer[]): number | null {
  const length = Math.max(found.length, sealed.length);
  for (let at = 0; at < length; at++) {
    const wanted = sealed[at];
    if (!wanted || !found[at]?.equals(wanted)) return at;
  }
  return null;
}

/** Whether what is found comes later in the seal, and what was sealed comes later in the table. */
function kindOf(at: number, compared: Compared): EntryFaultKind {
  const { found, sealed } = compared;
  const foundIsSealed = comesLater(found[at], sealed, at);
  const sealedIsFound = comesLater(sealed[at], found, at);
  if (foundIsSealed && sealedIsFound) return 'entry_reordered';
  if (foundIsSealed) return 'entry_missing';
  if (sealedIsFound || found.length > sealed.length) return 'entry_inserted';
  return changedPlaces(at, compared) ? 'entry_reordered' : 'entry_changed';
}

const comesLater = (hash: Buffer | undefined, hashes: readonly Buffer[], at: number): boolean =>
  hash !== undefined && hashes.some((other, index) => index > at && other.equals(hash));

/** The place is part of an entry's hash: what was sealed here is found by putting each other one back here. */
function changedPlaces(at: number, { entries, sealed }: Compared): boolean {
  const [here, wanted] = [entries[at], sealed[at]];
  if (!here || !wanted) return false;
  const { epoch, xid, seq } = here;
  return entries.some((other) => leafHash({ ...other, epoch, xid, seq }).equals(wanted));
}
