import { verify } from 'node:crypto';
import { START_POSITION, isAfter } from '../../../common/event-position.js';
import type { KeySet } from './key-set.js';
import { hashLeaf } from './merkle-tree.js';
import { announces, type LeafRun, type Retention, retentionHash } from './retention-statement.js';
import type { Seal, StoredSeal } from './seal.js';

/**
 * The kinds of retention faults. `retention_forged`: it is not signed, or belongs to another log.
 * `retention_unannounced`: no audit entry announces it.
 */
export type RetentionFaultKind = 'retention_forged' | 'retention_unannounced';

export interface RetentionFault {
  readonly kind: RetentionFaultKind;
  readonly seal?: number;
  readonly message: string;
}

/** The extent of a completed walk. */
export interface VerifiedRange {
  readonly since: Seal | null;
  readonly last: Seal | null;
  /** True if the walk ended before the end of the log. */
  readonly partial: boolean;
}

interface OwnedRun extends LeafRun {
  readonly retention: Retention;
}

/**
 * Follows a walk over the seals in order. Determines which of their entries may be absent, and under which
 * retention.
 */
export class RetentionChecker {
  private readonly runs: readonly OwnedRun[];
  /** The index of the first run that does not end before the current seal. */
  private next = 0;
  private readonly unproven: Set<Retention>;
  /** The retentions whose announcing entry is still ahead, in the order of those entries. */
  private readonly coming: Retention[];
  /** The retentions by the seal of their last leaf. */
  private readonly ending: ReadonlyMap<number | undefined, Retention[]>;
  private readonly used = new Set<Retention>();

  constructor(private readonly retentions: readonly Retention[]) {
    this.unproven = new Set(retentions);
    this.coming = retentions.toSorted((a, b) => (isAfter(a.position, b.position) ? 1 : -1));
    this.ending = Map.groupBy(retentions, ({ leaves }) => leaves.at(-1)?.to.seal);
    this.runs = retentions
      .flatMap((retention) => retention.leaves.map((run) => ({ ...run, retention })))
      .toSorted((a, b) => a.from.seal - b.from.seal || a.from.index - b.from.index);
  }

  /** Reports a retention without a valid signature, even if the entries of its month are present. */
  signatureFault(keys: KeySet): RetentionFault | null {
    const forged = this.retentions.find((retention) => !isSigned(retention, keys));
    return forged ? faultOf('retention_forged', forged, 'is not signed by a trusted key') : null;
  }

  /** Processes a seal that is valid on its own. */
  sealFault(seal: StoredSeal, last: Seal | null): RetentionFault | null {
    for (let [next] = this.coming; next && !isAfter(next.position, seal.position); [next] = this.coming) {
      this.coming.shift();
      if (isAfter(next.position, last?.position ?? START_POSITION) && isAnnouncedIn(seal, next)) {
        this.unproven.delete(next);
      }
    }
    const foreign = this.ending.get(seal.number)?.find(({ sealHash }) => !sealHash.equals(seal.hash));
    if (foreign)
      return { ...faultOf('retention_forged', foreign, 'belongs to another audit log'), seal: seal.number };
    return null;
  }

  /** Returns the places in the seal whose entries may be absent, each with its retention. */
  mayBeGone({ number, entries }: Seal): ReadonlyMap<number, Retention> {
    const places = new Map<number, Retention>();
    for (let run = this.runs[this.next]; run && run.to.seal < number; run = this.runs[this.next]) this.next++;
    for (let at = this.next; at < this.runs.length; at++) {
      const run = this.runs[at];
      if (!run || run.from.seal > number) break;
      const first = run.from.seal === number ? run.from.index : 0;
      const last = run.to.seal === number ? Math.min(run.to.index, entries - 1) : entries - 1;
      for (let place = first; place <= last; place++) places.set(place, run.retention);
    }
    return places;
  }

  /** Records that this retention covers entries that are absent. */
  use(retention: Retention): void {
    this.used.add(retention);
  }

  /**
   * Reports a retention that was never announced. An unsealed announcement is no fault while the entries are
   * present, because its month is not dropped before the seal.
   */
  endFault({ since, last, partial }: VerifiedRange): RetentionFault | null {
    for (const retention of this.unproven) {
      const walkedOver =
        isAfter(retention.position, since?.position ?? START_POSITION) &&
        !isAfter(retention.position, last?.position ?? START_POSITION);
      if (walkedOver || (this.used.has(retention) && !partial)) {
        return faultOf('retention_unannounced', retention, 'is announced by no audit entry');
      }
    }
    return null;
  }
}

function isSigned(retention: Retention, keys: KeySet): boolean {
  const key = keys.get(retention.kid);
  return (
    key !== undefined &&
    retentionHash(retention).equals(retention.hash) &&
    verify(null, retention.hash, key, retention.signature)
  );
}

function isAnnouncedIn(seal: StoredSeal, retention: Retention): boolean {
  const leaf = hashLeaf(retention.entry);
  return announces(retention.entry, retention) && seal.leafHashes.some((each) => each.equals(leaf));
}

const faultOf = (kind: RetentionFaultKind, { month }: Retention, what: string): RetentionFault => ({
  kind,
  message: `the retention of ${month} ${what}`,
});
