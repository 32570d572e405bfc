import { leafHash, leafHashes, type StoredEntry } from './leaf.js';
import type { StoredSeal } from './seal.js';

export type EntryFaultKind = 'entry_changed' | 'entry_missing' | 'entry_inserted' | 'entry_reordered';

export interface EntryFault {
  readonly kind: EntryFaultKind;
  /** The id of a present entry. A missing entry leaves only its hash. */
  readonly entryId?: string;
  readonly message: string;
}

export interface Comparison {
  /** The places of absent entries that a retention covers. */
  readonly dropped: readonly number[];
  readonly fault: EntryFault | null;
}

/**
 * Compares the present entries, in their order, with the sealed hashes and reports the first difference. One
 * surplus entry is enough to detect too many.
 * @param mayBeGone the places that a retention covers. An entry there may be present or absent
 */
export async function compareEntries(
  entries: readonly StoredEntry[],
  seal: StoredSeal,
  mayBeGone: { has(place: number): boolean; readonly size: number },
): Promise<Comparison> {
  const found = await leafHashes(entries);
  const present = new Set(mayBeGone.size > 0 ? found.map(hex) : []);
  const dropped: number[] = [];
  const places: number[] = [];
  const sealed: Buffer[] = [];
  for (const [place, hash] of seal.leafHashes.entries()) {
    if (mayBeGone.has(place) && !present.has(hex(hash))) dropped.push(place);
    else {
      places.push(place);
      sealed.push(hash);
    }
  }
  const at = firstDifference(found, sealed);
  if (at === null) return { dropped, fault: null };
  const name = `entry ${(places[at] ?? seal.entries) + 1} of the ${seal.entries} in seal ${seal.number}`;
  return { dropped, fault: faultAt(at, name, { entries, found, sealed }) };
}

const hex = (hash: Buffer): string => hash.toString('hex');

function faultAt(at: number, place: string, compared: Compared): EntryFault {
  const entry = compared.entries[at];
  if (!entry) return { kind: 'entry_missing', message: `${place} is missing` };
  const kind = kindOf(at, compared);
  const messages: Readonly<Record<EntryFaultKind, string>> = {
    entry_changed: `${place} differs from its sealed hash`,
    entry_missing: `${place} is missing, and the named entry is in its place`,
    entry_inserted: `an entry that was never sealed precedes ${place}`,
    entry_reordered: `${place} has swapped places with another entry`,
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

/** Classifies the difference by searching for each hash later in the other list. */
function kindOf(at: number, compared: Compared): EntryFaultKind {
  const { found, sealed } = compared;
  const foundIsSealed = appearsLater(found[at], sealed, at);
  const sealedIsFound = appearsLater(sealed[at], found, at);
  if (foundIsSealed && sealedIsFound) return 'entry_reordered';
  if (foundIsSealed) return 'entry_missing';
  if (sealedIsFound || found.length > sealed.length) return 'entry_inserted';
  return changedPlaces(at, compared) ? 'entry_reordered' : 'entry_changed';
}

const appearsLater = (hash: Buffer | undefined, hashes: readonly Buffer[], at: number): boolean =>
  hash !== undefined && hashes.some((other, index) => index > at && other.equals(hash));

/**
 * Detects entries that swapped positions. The position is part of an entry's hash, so this tries every other
 * entry at this position.
 */
function changedPlaces(at: number, { entries, sealed }: Compared): boolean {
  const [here, wanted] = [entries[at], sealed[at]];
  if (!here || !wanted) return false;
  const { epoch, xid, seq } = here;
  return entries.some((other) => leafHash({ ...other, epoch, xid, seq }).equals(wanted));
}
