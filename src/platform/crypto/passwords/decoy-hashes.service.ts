import { Injectable } from '@nestjs/common';
import { formatOf, OWN_PARAMETERS } from './hash-cost.js';
import { KeyedDigestService } from '../keyed-digest.service.js';
import type { StoredHash } from './hash.types.js';
import { parseStoredHash } from './stored-hash.js';

/** A stored hash without salt and digest, and the number of users who have such a hash. */
export interface FormatCount {
  /**
   * The text before the dollar sign of the salt. For a format without a sign there, the part that every hash
   * with the same parameters shares.
   */
  readonly prefix: string;
  /** The number of characters after the last dollar sign, without padding. */
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
/** The characters of salt and digest of bcrypt, and of phpass. */
const BCRYPT_CHARS = 53;
const PHPASS_CHARS = 30;
/** The beginning of a hash that encodes all bytes at once: the name of Spring Security, or base64 of ASP.NET. */
const BLOB = /^(?:\{[^{}]*\}|A[A-Za-z\d+/]*)$/;
/** Short enough for `crypt(3)`, and long enough for argon2. */
const SALT = 'A'.repeat(16);
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
function sampleOf(format: Omit<FormatCount, 'users'>): StoredHash | null {
  // The last character of a digest carries fewer bits, and which one means zero depends on the alphabet.
  return parseStoredHash(spellingOf(format, 'A')) ?? parseStoredHash(spellingOf(format, '.'));
}

/** Returns the text of a hash of that format whose salt and digest consist of one character. */
function spellingOf({ prefix, digestLength }: Omit<FormatCount, 'users'>, character: string): string {
  const fill = (count: number) => character.repeat(Math.max(count, 0));
  if (/\$2[a-z]?\$\d\d$/.test(prefix)) return `${prefix}$${'.'.repeat(BCRYPT_CHARS)}`;
  if (/^\$[PH]\$.$/.test(prefix)) return prefix + fill(PHPASS_CHARS);
  const [, n, r, p] = /^scrypt\$(\d+)\$(\d+)\$(\d+)$/.exec(prefix) ?? [];
  if (n !== undefined) return `scrypt$${n}$${SALT}$${r}$${p}$${fill(digestLength)}`;
  if (BLOB.test(prefix)) return prefix + fill(digestLength - prefix.length);
  return `${prefix}$${SALT}$${fill(digestLength)}`;
}

const areAlike = (a: readonly Decoy[], b: readonly Decoy[]): boolean =>
  a.length === b.length &&
  a.every(({ format, share }, i) => {
    const other = b[i];
    return other?.format === format && Math.abs(other.share - share) < STEADY_SHARE;
  });
