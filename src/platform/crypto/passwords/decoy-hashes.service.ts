import { Injectable } from '@nestjs/common';
import { formatOf, OWN_PARAMETERS } from './hash-cost.js';
import { KeyedDigestService } from '../keyed-digest.service.js';
import { parseStoredHash, type StoredHash } from './stored-hash.js';

/** A stored hash without salt and digest, and the number of users who have such a hash. */
export interface FormatCount {
  /** The text before the dollar sign of the salt. */
  readonly prefix: string;
  /** The number of base64 characters in the digest, without padding. */
  readonly digestLength: number;
  readonly users: number;
}

interface Decoy {
  readonly format: string;
  readonly hash: StoredHash;
  readonly share: number;
}

/** The smallest share of users for which a format is drawn. A format in use stays until half of this. */
const MIN_SHARE = 0.01;
/** A smaller change in shares changes no decoy, so that an address keeps its format. */
const STEADY_SHARE = 0.02;
const DRAW_BYTES = 6;
const SALT = 'A'.repeat(22);
const OWN_PREFIX = `$${OWN_PARAMETERS.type}$v=${OWN_PARAMETERS.version}$m=${OWN_PARAMETERS.memoryKib},t=${OWN_PARAMETERS.passes},p=${OWN_PARAMETERS.lanes}`;

/**
 * Chooses a hash to verify for an address that has none, so that the time of a refused sign-in does not
 * reveal which addresses are known. Formats are as frequent among unknown addresses as among users, and an
 * address always gets the same format.
 */
@Injectable()
export class DecoyHashesService {
  private decoys: readonly Decoy[] = decoysOf([{ prefix: OWN_PREFIX, digestLength: 43, users: 1 }], []);
  private used = false;

  constructor(private readonly digests: KeyedDigestService) {}

  forAddress(address: string): StoredHash {
    this.used = true;
    const drawn =
      this.digests.digest('password-decoy', [address]).readUIntBE(0, DRAW_BYTES) / 256 ** DRAW_BYTES;
    const total = this.decoys.reduce((sum, { share }) => sum + share, 0);
    let upTo = 0;
    const decoy = this.decoys.find(({ share }) => (upTo += share) > drawn * total) ?? this.decoys.at(-1);
    if (!decoy) throw new Error('there is always a decoy');
    return decoy.hash;
  }

  /** Tells whether a decoy was drawn since the last call. */
  resetUsed(): boolean {
    const { used } = this;
    this.used = false;
    return used;
  }

  /** Draws from these formats from now on. Changes nothing when none is given. */
  setFormats(counts: readonly FormatCount[]): void {
    const decoys = decoysOf(counts, this.decoys);
    if (decoys.length > 0 && !areAlike(decoys, this.decoys)) this.decoys = decoys;
  }
}

function decoysOf(counts: readonly FormatCount[], current: readonly Decoy[]): Decoy[] {
  const total = counts.reduce((sum, { users }) => sum + users, 0);
  const decoys = new Map<string, Decoy>();
  for (const { users, ...spelling } of counts) {
    const hash = sampleOf(spelling);
    if (!hash) continue;
    const format = formatOf(hash);
    // Several spellings can mean one format.
    const share = (decoys.get(format)?.share ?? 0) + users / total;
    decoys.set(format, { format, hash, share });
  }
  const drawn = new Set(current.map(({ format }) => format));
  return [...decoys.values()]
    .filter(({ format, share }) => share >= (drawn.has(format) ? MIN_SHARE / 2 : MIN_SHARE))
    .toSorted((a, b) => (a.format < b.format ? -1 : 1));
}

/** Returns a hash of that format, or null when such a hash is never verified. */
function sampleOf({ prefix, digestLength }: Omit<FormatCount, 'users'>): StoredHash | null {
  const rest = prefix.startsWith('$2') ? '.'.repeat(53) : `${SALT}$${'A'.repeat(digestLength)}`;
  return parseStoredHash(`${prefix}$${rest}`);
}

const areAlike = (a: readonly Decoy[], b: readonly Decoy[]): boolean =>
  a.length === b.length &&
  a.every(({ format, share }, i) => {
    const other = b[i];
    return other?.format === format && Math.abs(other.share - share) < STEADY_SHARE;
  });
