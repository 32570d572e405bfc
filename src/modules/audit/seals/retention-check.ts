import { verify } from 'node:crypto';
import { BEGINNING, isAfter } from '../../../common/history-position.js';
import type { KeySet } from './key-set.js';
import { hashLeaf } from './merkle.js';
import { announces, type LeafRun, type Retention, retentionHash } from './retention.js';
import type { Seal, StoredSeal } from './seal.js';

/** `forged`: it was not signed, or not of this trail. `unannounced`: no entry of the trail tells of it. */
export type RetentionFaultKind = 'retention_forged' | 'retention_unannounced';

export interface RetentionFault {
  readonly kind: RetentionFaultKind;
  readonly seal?: number;
  readonly message: string;
}

/** How far a walk went. */
export interface Walked {
  readonly since: Seal | null;
  readonly last: Seal | null;
  /** It ended before the trail does. */
  readonly partial: boolean;
}

interface OwnedRun extends LeafRun {
  readonly retention: Retention;
}

/** Goes along a walk over the seals, in their order: which of their entries need not be there, and who says so. */
export class RetentionCheck {
  private readonly runs: readonly OwnedRun[];
  /** The first run that does not lie before the seals walked so far. */
  private next = 0;
  private readonly unproven: Set<Retention>;
  /** Those whose entry is to come, in the order of these. */
  private readonly coming: Retention[];
  /** By the seal in which their last leaf stands. */
  private readonly ending: ReadonlyMap<number | undefined, Retention[]>;
  private readonly used = new Set<Retention>();

  constructor(private readonly retentions: readonly Retention[]) {
    this.unproven = new Set(retentions);
    this.coming = retentions.toSorted((a, b) => (isAfter(a.position, b.position) ? 1 : -1));
    this.ending = Map.groupBy(retentions, ({ leaves }) => leaves.at(-1)?.to.seal);
    this.runs = retentions
      .flatMap((retention) => retention.leaves.map((run) => ({ ...run, retention })))
      .toSorted((a, b) => a.from.seal - b.from.seal || a.from.place - b.from.place);
  }

  /** Each has to be signed, whatever is there of its month. */
  signatureFault(keys: KeySet): RetentionFault | null {
    const forged = this.retentions.find((retention) => !isSigned(retention, keys));
    return forged ? faultOf('retention_forged', forged, 'is not signed by a key that is trusted') : null;
  }

  /** Takes note of a seal that is right in itself. */
  sealFault(seal: StoredSeal, last: Seal | null): RetentionFault | null {
    for (let [next] = this.coming; next && !isAfter(next.position, seal.position); [next] = this.coming) {
      this.coming.shift();
      if (isAfter(next.position, last?.position ?? BEGINNING) && isAnnouncedIn(seal, next)) {
        this.unproven.delete(next);
      }
    }
    const foreign = this.ending.get(seal.number)?.find(({ sealHash }) => !sealHash.equals(seal.hash));
    if (foreign) return { ...faultOf('retention_forged', foreign, 'is of another trail'), seal: seal.number };
    return null;
  }

  /** The places in that seal whose entries may be gone, with the retention that says so. */
  mayBeGone({ number, entries }: Seal): ReadonlyMap<number, Retention> {
    const places = new Map<number, Retention>();
    for (let run = this.runs[this.next]; run && run.to.seal < number; run = this.runs[this.next]) this.next++;
    for (let at = this.next; at < this.runs.length; at++) {
      const run = this.runs[at];
      if (!run || run.from.seal > number) break;
      const first = run.from.seal === number ? run.from.place : 0;
      const last = run.to.seal === number ? Math.min(run.to.place, entries - 1) : entries - 1;
      for (let place = first; place <= last; place++) places.set(place, run.retention);
    }
    return places;
  }

  /** That one excuses entries which are gone. */
  use(retention: Retention): void {
    this.used.add(retention);
  }

  /** One that is not sealed yet is no fault while its entries are there: its month is not dropped yet either. */
  endFault({ since, last, partial }: Walked): RetentionFault | null {
    for (const retention of this.unproven) {
      const walkedOver =
        isAfter(retention.position, since?.position ?? BEGINNING) &&
        !isAfter(retention.position, last?.position ?? BEGINNING);
      if (walkedOver || (this.used.has(retention) && !partial)) {
        return faultOf('retention_unannounced', retention, 'stands in no entry of the trail');
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
