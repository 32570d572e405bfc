import { Injectable } from '@nestjs/common';
import { SettledEntriesRepository } from './settled-entries.repository.js';
import type { StoredEntry } from '../proofs/leaf.js';
import { START_POSITION, isAfter, type EventPosition } from '../../../common/event-position.js';
import { MAX_ENTRIES_PER_SEAL, type Seal } from '../proofs/seal.js';
import { SealsRepository } from './seals.repository.js';
import type { SealedBlock } from '../proofs/verify-audit-log.js';

/** The range of seals to read. Without `last` it includes the entries that no seal covers yet. */
export interface SealRange {
  readonly since: Seal | null;
  readonly last?: number;
}

/**
 * Streams the stored audit log in blocks. It holds at most one group in memory, with as many entries as one
 * seal may cover. It uses short statements, so that a long read holds no snapshot.
 */
@Injectable()
export class AuditLogReader {
  constructor(
    private readonly seals: SealsRepository,
    private readonly entries: SettledEntriesRepository,
  ) {}

  async *blocks({ since, last }: SealRange): AsyncGenerator<SealedBlock> {
    let number = since?.number ?? 0;
    let position = since?.position ?? START_POSITION;
    for (;;) {
      const group = await this.seals.findGroup(number, last ?? Number.MAX_SAFE_INTEGER);
      const end = group.at(-1);
      if (!end) break;
      const sealed = group.reduce((sum, seal) => sum + seal.entries, 0);
      // One extra entry reveals the first surplus one, along with all entries before it.
      const found = await this.entries.findBetween(position, end.position, sealed + 1);
      let from = 0;
      for (const seal of group) {
        const to = endOf(found, from, seal.position);
        yield { seal, entries: found.slice(from, to) };
        from = to;
      }
      ({ number, position } = end);
    }
    if (last === undefined) yield* this.unsealedBlocks(position);
  }

  private async *unsealedBlocks(position: EventPosition): AsyncGenerator<SealedBlock> {
    for (let after: EventPosition | undefined = position; after;) {
      const entries = await this.entries.findAfter(after, MAX_ENTRIES_PER_SEAL);
      if (entries.length > 0) yield { seal: null, entries };
      after = entries.length === MAX_ENTRIES_PER_SEAL ? entries.at(-1) : undefined;
    }
  }
}

function endOf(entries: readonly StoredEntry[], from: number, position: EventPosition): number {
  let to = from;
  for (let entry = entries[to]; entry && !isAfter(entry, position); entry = entries[to]) to++;
  return to;
}
