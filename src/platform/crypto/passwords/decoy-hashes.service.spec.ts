import { randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { DecoyHashesService, type FormatCount } from './decoy-hashes.service.js';
import { formatOf } from './hash-cost.js';
import { KeyedDigestService } from '../keyed-digest.service.js';

const OWN: FormatCount = { prefix: '$argon2id$v=19$m=19456,p=1,t=2', digestLength: 43, users: 0 };
const BCRYPT: FormatCount = { prefix: '$2b$12', digestLength: 53, users: 0 };
const PBKDF2: FormatCount = { prefix: '$pbkdf2-sha256$i=1000', digestLength: 43, users: 0 };
const ADDRESSES = Array.from({ length: 2000 }, (_, i) => `nobody-${i}@example.com`);

const decoys = () => new DecoyHashesService(new KeyedDigestService(randomBytes(32)));
const counts = (own: number, bcrypt: number, pbkdf2 = 0): FormatCount[] => [
  { ...OWN, users: own },
  { ...BCRYPT, users: bcrypt },
  { ...PBKDF2, users: pbkdf2 },
];

/** Returns the share of the addresses that gets each format. */
function sharesOf(drawn: DecoyHashesService): Record<string, number> {
  const shares: Record<string, number> = {};
  for (const address of ADDRESSES) {
    const format = formatOf(drawn.forAddress(address));
    shares[format] = (shares[format] ?? 0) + 1 / ADDRESSES.length;
  }
  return shares;
}

describe('DecoyHashes', () => {
  it('draws our own format while no formats are known', () => {
    expect(sharesOf(decoys())).toEqual({ 'argon2id/19/19456/2/1/32': expect.closeTo(1) });
  });

  it('draws each format as often as users have it', () => {
    const drawn = decoys();
    drawn.setFormats(counts(500, 300, 200));
    expect(sharesOf(drawn)).toEqual({
      'argon2id/19/19456/2/1/32': expect.closeTo(0.5, 1),
      'bcrypt/12': expect.closeTo(0.3, 1),
      'pbkdf2/sha256/1000/32': expect.closeTo(0.2, 1),
    });
  });

  it('never draws a format that less than 1 % of the users have', () => {
    const drawn = decoys();
    drawn.setFormats(counts(995, 5));
    expect(Object.keys(sharesOf(drawn))).toEqual(['argon2id/19/19456/2/1/32']);
  });

  it('counts all spellings of a format together and skips formats that are never verified', () => {
    const drawn = decoys();
    const spellings = ['$2a$12', '$2y$12', '$2b$12'].map((prefix) => ({ ...BCRYPT, prefix, users: 100 }));
    drawn.setFormats([...spellings, { prefix: '{SSHA}abc', digestLength: 9, users: 1000 }]);
    expect(Object.keys(sharesOf(drawn))).toEqual(['bcrypt/12']);
  });

  it('draws the same format for an address each time, and keeps it when the shares hardly change', () => {
    const drawn = decoys();
    drawn.setFormats(counts(500, 500));
    const before = ADDRESSES.map((address) => formatOf(drawn.forAddress(address)));
    drawn.setFormats(counts(490, 510));
    expect(ADDRESSES.map((address) => formatOf(drawn.forAddress(address)))).toEqual(before);
    drawn.setFormats(counts(400, 600));
    const changed = ADDRESSES.filter((address, i) => formatOf(drawn.forAddress(address)) !== before[i]);
    expect(changed.length / ADDRESSES.length).toBeCloseTo(0.1, 1);
  });

  it('draws a format for an address that depends on the key', () => {
    const formats = [decoys(), decoys()].map((drawn) => {
      drawn.setFormats(counts(500, 500));
      return ADDRESSES.map((address) => formatOf(drawn.forAddress(address)));
    });
    expect(formats[0]).not.toEqual(formats[1]);
  });
});
