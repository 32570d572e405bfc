import { leafHash, type StoredEntry } from './leaf.js';
import { type LeafIndex, type LeafRun, MAX_RUNS } from './retention-statement.js';
import type { StoredSeal } from './seal.js';
import type { SealedBlock } from './verify-audit-log.js';

/** Collects the places of a month's entries in their seals, from consecutive blocks. */
export class LeafRunRecorder {
  readonly runs: LeafRun[] = [];
  entries = 0;
  private open: { from: LeafIndex; to: LeafIndex } | null = null;

  constructor(private readonly isMeant: (entry: StoredEntry) => boolean) {}

  async *recording(blocks: AsyncIterable<SealedBlock>): AsyncGenerator<SealedBlock> {
    for await (const block of blocks) {
      if (block.seal) this.record(block.entries, block.seal);
      yield block;
    }
    this.close();
  }

  private record(entries: readonly StoredEntry[], seal: StoredSeal): void {
    const places = new Set(leafIndexesOf(entries, seal, this.isMeant));
    this.entries += places.size;
    for (let place = 0; place < seal.entries; place++) {
      if (!places.has(place)) this.close();
      else {
        const here = { seal: seal.number, index: place };
        this.open = { from: this.open?.from ?? here, to: here };
      }
    }
  }

  private close(): void {
    if (!this.open) return;
    if (this.runs.length === MAX_RUNS)
      throw new Error(`the entries of the month form more than ${MAX_RUNS} runs`);
    this.runs.push(this.open);
    this.open = null;
  }
}

/**
 * Returns the places of the matching entries. An entry's place is its index, unless earlier entries of the
 * seal were dropped with another month.
 */
function leafIndexesOf(
  entries: readonly StoredEntry[],
  seal: StoredSeal,
  isMeant: (entry: StoredEntry) => boolean,
): number[] {
  const whole = entries.length === seal.entries;
  const places = new Map(
    whole ? [] : seal.leafHashes.map((hash, place) => [hash.toString('hex'), place] as const),
  );
  return entries.flatMap((entry, index) => {
    if (!isMeant(entry)) return [];
    const place = whole ? index : places.get(leafHash(entry).toString('hex'));
    return place === undefined ? [] : [place];
  });
}
