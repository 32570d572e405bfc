import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { verifyStored } from './verify-foreign-hash.js';
import { relativeCost } from './hash-cost.js';
import { parseStoredHash } from './stored-hash.js';

const SALT = 'c29tZXNhbHRzb21lc2FsdA';
const KEY = 'RdescudvJCsgt3ub+b4dWRWJTmaaJObGRdescudvJCs';
const KEY_64 = `${'A'.repeat(85)}Q`;

/** Cheap hashes of "password" by other systems, one for each spelling. */
const VALID = [
  '$argon2id$v=19$m=64,p=2,t=1$c29tZXNhbHQ$fulyYjWJJvMORDFTPUq4Eatpl3lItiixI9xM9B6eb10',
  '$argon2i$m=64,t=1,p=1$c29tZXNhbHQ$0BvzJZOLKMPjKgrXDwreLQSFy/0c414cb7jG9NI4e6k',
  '$2a$04$CCCCCCCCCCCCCCCCCCCCC.FXJHjF.8tyWAsIeGLxC7hC/nyX4QxgC',
  '$2y$05$CCCCCCCCCCCCCCCCCCCCC.aDV7CQarKHMuNfh2oJkFzsHZya4whFe',
  '$pbkdf2-sha256$6400$AAECAwQFBgcICQoLDA0ODw$tPOMD/grGsIamqYFYSZfmAdFVLhjOwI3BJ.ZUfspFNM',
  '$pbkdf2-sha512$i=6400,l=64$AAECAwQFBgcICQoLDA0ODw$XKTJhacFojLoZP8nBSBXzgeeP6yQJqkeY2wAqvUwGTWvutpZQ2zPKWe9Rm9RgOIlOBnensg1dblvz/HI0wlukA',
  '$scrypt$ln=10,r=8,p=2$AAECAwQFBgcICQoLDA0ODw$2fs6JV7IbiGgyjyPIxLxLLy5vXNrhQ+FJbFF9Dg9WqE',
] as const;
const CHARACTERS = Array.from('$=,./+-_ aAzZ09mtplnri\n\u0000ü');

/** One small defect: a piece of the hash is cut out, repeated or replaced. */
const damage = fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  cut: fc.nat({ max: 50 }),
  insert: fc.oneof(
    fc.string({ unit: fc.constantFrom(...CHARACTERS), maxLength: 3 }),
    fc.nat({ max: 50 }).map((times) => '='.repeat(times)),
    fc.constant(null),
  ),
});

function damaged(
  hash: string,
  { at, cut, insert }: { at: number; cut: number; insert: string | null },
): string {
  const from = Math.round(at * hash.length);
  const piece = insert ?? hash.slice(from, from + cut).repeat(2);
  return hash.slice(0, from) + piece + hash.slice(from + cut);
}

describe('parseStoredHash', () => {
  it.each(VALID)('accepts %s', (hash) => {
    expect(parseStoredHash(hash)).not.toBeNull();
  });

  it('rejects a damaged hash, or verifies no other password against it', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...VALID),
        fc.array(damage, { minLength: 1, maxLength: 3 }),
        async (valid, damages) => {
          const stored = parseStoredHash(damages.reduce(damaged, valid));
          if (!stored || relativeCost(stored) > 1) return;
          expect(await verifyStored(stored, ['another password'])).toBe(false);
          expect(await verifyStored(stored, [''])).toBe(false);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('does not match the password once the digest has changed', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...VALID),
        fc.nat(),
        fc.integer({ min: 1, max: 63 }),
        async (valid, at, by) => {
          const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
          const from = valid.startsWith('$2') ? valid.length - 31 : valid.lastIndexOf('$') + 1;
          const index = from + (at % (valid.length - from));
          const value = alphabet.indexOf(
            (valid[index] ?? '').replace('.', valid.startsWith('$2') ? '/' : '+'),
          );
          const other = alphabet[(value + by) % 64];
          const stored = parseStoredHash(valid.slice(0, index) + other + valid.slice(index + 1));
          const same = JSON.stringify(stored) === JSON.stringify(parseStoredHash(valid));
          if (stored) expect(await verifyStored(stored, ['password'])).toBe(same);
        },
      ),
      { numRuns: 150 },
    );
  });

  it.each([
    ['padding only', `$scrypt$ln=14,r=8,p=1$c29tZXNhbHQxMjM0NTY3OA$======================`],
    ['padding only for a salt', `$scrypt$ln=14,r=8,p=1$===========$${KEY}`],
    ['padding in the middle', `$pbkdf2-sha256$i=1000$${SALT}$${KEY.slice(0, 20)}=${KEY.slice(21)}`],
    ['too much padding', `$pbkdf2-sha256$i=1000$${SALT}$${KEY}==`],
    ['dots only', `$pbkdf2-sha256$i=1000$${SALT}$${'.'.repeat(22)}`],
    ['both spellings of 62', `$pbkdf2-sha256$i=1000$${SALT}$${KEY.replace('d', '.')}`],
    ['bits beyond the last byte', `$pbkdf2-sha256$i=1000$${SALT}$${KEY.slice(0, -1)}t`],
    ['bits beyond the last byte of argon2', `$argon2id$v=19$m=64,t=1,p=1$${SALT}$${KEY.slice(0, -1)}t`],
    [
      'bits beyond the last byte of a bcrypt salt',
      '$2a$04$CCCCCCCCCCCCCCCCCCCCCAFXJHjF.8tyWAsIeGLxC7hC/nyX4QxgC',
    ],
    ['bits beyond the last byte of bcrypt', '$2a$04$CCCCCCCCCCCCCCCCCCCCC.FXJHjF.8tyWAsIeGLxC7hC/nyX4QxgD'],
    ['the alphabet of URLs', `$pbkdf2-sha256$i=1000$${SALT}$${KEY.replace('+', '-')}`],
    ['a salt of 7 bytes', `$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbA$${KEY}`],
    ['an argon2 digest of 15 bytes', `$argon2id$v=19$m=64,t=1,p=1$${SALT}$${'A'.repeat(20)}`],
    ['a scrypt digest of 15 bytes', `$scrypt$ln=4,r=8,p=1$${SALT}$${'A'.repeat(20)}`],
    ['a digest of 65 bytes', `$scrypt$ln=4,r=8,p=1$${SALT}$${'A'.repeat(87)}`],
    ['a pbkdf2 digest of 16 bytes', `$pbkdf2-sha256$i=1000$${SALT}$${'A'.repeat(22)}`],
    ['a pbkdf2 digest of 31 bytes', `$pbkdf2-sha256$i=1000$${SALT}$${'A'.repeat(42)}`],
    ['another length than it states', `$pbkdf2-sha256$i=1000,l=64$${SALT}$${KEY}`],
    ['a number with a leading zero', `$pbkdf2-sha256$i=01000$${SALT}$${KEY}`],
    ['a cost with a leading zero', `$scrypt$ln=04,r=8,p=1$${SALT}$${KEY}`],
    ['more blocks of pbkdf2 than allowed', `$pbkdf2-sha256$i=1500000$${SALT}$${KEY_64}`],
    ['parameters that OpenSSL refuses', `$scrypt$ln=16,r=1,p=1$${SALT}$${KEY}`],
    ['no blocks of scrypt', `$scrypt$ln=4,r=0,p=1$${SALT}$${KEY}`],
    ['a space before', ` $pbkdf2-sha256$i=1000$${SALT}$${KEY}`],
    ['an extra field', `$argon2id$v=19$m=64,t=1,p=1$${SALT}$${KEY}$${KEY}`],
    ['associated data', `$argon2id$v=19$m=64,t=1,p=1,data=AAAA$${SALT}$${KEY}`],
  ])('rejects %s', (_, hash) => {
    expect(parseStoredHash(hash)).toBeNull();
  });

  it.each([
    ['the padded digest of Django', `$pbkdf2-sha256$i=1000$${SALT}==$${KEY}=`],
    ['the 64 bytes that Keycloak derives with SHA-256', `$pbkdf2-sha256$i=27500$${SALT}$${KEY_64}`],
    ['the 32 bytes that ASP.NET derives with SHA-512', `$pbkdf2-sha512$i=100000$${SALT}$${KEY}`],
  ])('accepts %s', (_, hash) => {
    expect(parseStoredHash(hash)).not.toBeNull();
  });

  it.each([
    ['OWASP’s strongest scrypt', `$scrypt$ln=17,r=8,p=1$${SALT}$${KEY}`],
    ['OWASP’s smallest scrypt', `$scrypt$ln=13,r=8,p=10$${SALT}$${KEY}`],
    ['Django’s pbkdf2', `$pbkdf2-sha256$1200000$${SALT}$${KEY}`],
    ['Django’s argon2', `$argon2id$v=19$m=102400,t=2,p=8$${SALT}$${KEY}`],
    ['libsodium’s moderate argon2', `$argon2id$v=19$m=262144,t=3,p=1$${SALT}$${KEY}`],
    ['bcrypt of cost 14', '$2b$14$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy'],
  ])('accepts %s', (_, hash) => {
    expect(parseStoredHash(hash)).not.toBeNull();
  });

  it.each([
    ['unbounded memory', `$argon2id$v=19$m=999999,t=1,p=1$${SALT}$${KEY}`],
    ['memory longer than the pattern allows', `$argon2id$v=19$m=4194304,t=1,p=1$${SALT}$${KEY}`],
    ['unbounded passes', `$argon2id$v=19$m=65536,t=9999,p=1$${SALT}$${KEY}`],
    ['unbounded lanes', `$argon2id$v=19$m=65536,t=2,p=99$${SALT}$${KEY}`],
    ['less memory than argon2 allows', `$argon2id$v=19$m=8,t=2,p=4$${SALT}$${KEY}`],
    ['zero passes', `$argon2id$v=19$m=4096,t=0,p=1$${SALT}$${KEY}`],
    ['zero lanes', `$argon2id$v=19$m=4096,t=1,p=0$${SALT}$${KEY}`],
    ['a repeated parameter', `$argon2id$v=19$m=4096,t=1,t=2$${SALT}$${KEY}`],
    ['a missing parameter', `$argon2id$v=19$m=19456,t=2$${SALT}$${KEY}`],
    ['another version', `$argon2id$v=20$m=4096,t=1,p=1$${SALT}$${KEY}`],
    ['more lanes of version 1.0 than allowed', `$argon2id$m=65536,t=2,p=5$${SALT}$${KEY}`],
    ['an empty digest', `$argon2id$v=19$m=4096,t=1,p=1$${SALT}$`],
    ['an unknown argon2 variant', `$argon2x$v=19$m=4096,t=1,p=1$${SALT}$${KEY}`],
    ['bcrypt of cost 15', '$2b$15$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy'],
    ['bcrypt of cost 3', '$2b$03$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy'],
    ['the broken bcrypt variant', '$2x$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy'],
    ['scrypt of 2^18', `$scrypt$ln=18,r=8,p=1$${SALT}$${KEY}`],
    ['scrypt with too much parallelism', `$scrypt$ln=17,r=8,p=99$${SALT}$${KEY}`],
    ['scrypt with wide blocks', `$scrypt$ln=17,r=99,p=1$${SALT}$${KEY}`],
    ['scrypt with N = 1', `$scrypt$ln=0,r=8,p=1$${SALT}$${KEY}`],
    ['pbkdf2 with 2 000 001 iterations', `$pbkdf2-sha256$i=2000001$${SALT}$${KEY}`],
    ['pbkdf2 with 0 iterations', `$pbkdf2-sha256$i=0$${SALT}$${KEY}`],
    ['pbkdf2 with md5', `$pbkdf2-md5$i=1000$${SALT}$${KEY}`],
    ['pbkdf2 with sha1 and 6 000 001 iterations', `$pbkdf2-sha1$i=6000001$${SALT}$${'A'.repeat(27)}`],
    ['a pbkdf2 digest of 20 bytes with sha256', `$pbkdf2-sha256$i=1000$${SALT}$${'A'.repeat(27)}`],
    ['plain text', 'password'],
    ['an empty string', ''],
    ['a trailing line break', `$pbkdf2-sha256$i=1000$${SALT}$${KEY}\n`],
  ])('rejects %s', (_, hash) => {
    expect(parseStoredHash(hash)).toBeNull();
  });
});
