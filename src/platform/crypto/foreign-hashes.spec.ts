import { describe, expect, it } from '@jest/globals';
import { verifierOf } from './foreign-hashes.js';

const SALT = 'c29tZXNhbHRzb21lc2FsdA';
const KEY = 'RdescudvJCsgt3ub+b4dWRWJTmaaJObGRdescudvJCs';

/** Made by others: argon2's and crypt_blowfish's own tests, PHP's manual, libxcrypt, Python's hashlib. */
const KNOWN: readonly (readonly [string, string])[] = [
  ['password', '$argon2i$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$wWKIMhR9lyDFvRz9YTZweHKfbftvj+qf+YFY4NeBbtA'],
  ['password', '$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc'],
  ['password', '$argon2i$m=65536,t=2,p=1$c29tZXNhbHQ$9sTbSlTio3Biev89thdrlKKiCaYsjjYVJxGAL3swxpQ'],
  ['rasmuslerdorf', '$2a$07$usesomesillystringfore2uDLvp1Ii2e./U9C8sBjqp8I90dH6hi'],
  ['password', '$2y$05$CCCCCCCCCCCCCCCCCCCCC.aDV7CQarKHMuNfh2oJkFzsHZya4whFe'],
  ['U*U', '$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW'],
  ['password', '$pbkdf2-sha256$6400$AAECAwQFBgcICQoLDA0ODw$tPOMD/grGsIamqYFYSZfmAdFVLhjOwI3BJ.ZUfspFNM'],
  [
    'password',
    '$pbkdf2-sha512$i=6400$AAECAwQFBgcICQoLDA0ODw$XKTJhacFojLoZP8nBSBXzgeeP6yQJqkeY2wAqvUwGTWvutpZQ2zPKWe9Rm9RgOIlOBnensg1dblvz/HI0wlukA',
  ],
  ['password', '$scrypt$ln=10,r=8,p=2$AAECAwQFBgcICQoLDA0ODw$2fs6JV7IbiGgyjyPIxLxLLy5vXNrhQ+FJbFF9Dg9WqE'],
];

describe('verifierOf', () => {
  it.each(KNOWN)('verifies "%s" against %s', async (password, phc) => {
    const verify = verifierOf(phc);
    expect(await verify?.(password)).toBe(true);
    expect(await verify?.(`${password}x`)).toBe(false);
    expect(await verify?.('')).toBe(false);
  });

  it('reads only the first 72 bytes for bcrypt, as whoever made the hash did', async () => {
    const { hash } = await import('bcrypt');
    const verify = verifierOf(await hash('x'.repeat(80), 4));
    expect(await verify?.('x'.repeat(80))).toBe(true);
    expect(await verify?.('x'.repeat(71))).toBe(false);
  });

  it.each([
    ['OWASP’s strongest scrypt', `$scrypt$ln=17,r=8,p=1$${SALT}$${KEY}`],
    ['OWASP’s smallest scrypt', `$scrypt$ln=13,r=8,p=10$${SALT}$${KEY}`],
    ['Django’s pbkdf2', `$pbkdf2-sha256$1200000$${SALT}$${KEY}`],
    ['Django’s argon2', `$argon2id$v=19$m=102400,t=2,p=8$${SALT}$${KEY}`],
    ['libsodium’s moderate argon2', `$argon2id$v=19$m=262144,t=3,p=1$${SALT}$${KEY}`],
    ['bcrypt of cost 14', '$2b$14$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy'],
  ])('believes %s', (_, phc) => {
    expect(verifierOf(phc)).not.toBeNull();
  });

  it.each([
    ['memory without bound', `$argon2id$v=19$m=999999,t=1,p=1$${SALT}$${KEY}`],
    ['memory past the pattern', `$argon2id$v=19$m=4194304,t=1,p=1$${SALT}$${KEY}`],
    ['passes without bound', `$argon2id$v=19$m=65536,t=9999,p=1$${SALT}$${KEY}`],
    ['lanes without bound', `$argon2id$v=19$m=65536,t=2,p=99$${SALT}$${KEY}`],
    ['less memory than argon2 allows', `$argon2id$v=19$m=8,t=2,p=4$${SALT}$${KEY}`],
    ['no pass', `$argon2id$v=19$m=4096,t=0,p=1$${SALT}$${KEY}`],
    ['no lane', `$argon2id$v=19$m=4096,t=1,p=0$${SALT}$${KEY}`],
    ['a parameter twice', `$argon2id$v=19$m=4096,t=1,t=2$${SALT}$${KEY}`],
    ['a parameter too few', `$argon2id$v=19$m=19456,t=2$${SALT}$${KEY}`],
    ['another version', `$argon2id$v=20$m=4096,t=1,p=1$${SALT}$${KEY}`],
    ['a digest of nothing', `$argon2id$v=19$m=4096,t=1,p=1$${SALT}$`],
    ['another argon2', `$argon2x$v=19$m=4096,t=1,p=1$${SALT}$${KEY}`],
    ['bcrypt of cost 15', '$2b$15$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy'],
    ['bcrypt of cost 3', '$2b$03$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy'],
    ['bcrypt that is broken', '$2x$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy'],
    ['scrypt of 2^18', `$scrypt$ln=18,r=8,p=1$${SALT}$${KEY}`],
    ['scrypt many times', `$scrypt$ln=17,r=8,p=99$${SALT}$${KEY}`],
    ['scrypt of wide blocks', `$scrypt$ln=17,r=99,p=1$${SALT}$${KEY}`],
    ['scrypt of nothing', `$scrypt$ln=0,r=8,p=1$${SALT}$${KEY}`],
    ['pbkdf2 of 2 000 001', `$pbkdf2-sha256$i=2000001$${SALT}$${KEY}`],
    ['pbkdf2 of none', `$pbkdf2-sha256$i=0$${SALT}$${KEY}`],
    ['pbkdf2 over sha1', `$pbkdf2-sha1$i=1000$${SALT}$${KEY}`],
    ['plain text', 'password'],
    ['nothing', ''],
    ['a line more', `$pbkdf2-sha256$i=1000$${SALT}$${KEY}\n`],
  ])('does not believe %s', (_, phc) => {
    expect(verifierOf(phc)).toBeNull();
  });

  it('takes the password as it was sent, and its normal form', async () => {
    const { hash } = await import('bcrypt');
    const decomposed = 'pa\u0308ssword';
    const verifyOld = verifierOf(await hash(decomposed, 4));
    expect(await verifyOld?.(decomposed)).toBe(true);
    const verifyNew = verifierOf(await hash(decomposed.normalize('NFC'), 4));
    expect(await verifyNew?.(decomposed)).toBe(true);
  });
});
