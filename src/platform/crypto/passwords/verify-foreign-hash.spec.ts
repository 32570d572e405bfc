import { describe, expect, it } from '@jest/globals';
import { hash as bcrypt } from 'bcrypt';
import { verifyStored } from './verify-foreign-hash.js';
import { parseStoredHash } from './stored-hash.js';

/**
 * Hashes made by other systems: the test suites of argon2 and crypt_blowfish, PHP's manual, libxcrypt,
 * Python's hashlib.
 */
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

/** A string of single-byte characters, so that its length is its number of bytes. */
const LONG = 'x'.repeat(80);

async function verify(text: string, ...spellings: string[]): Promise<boolean> {
  const hash = parseStoredHash(text);
  if (!hash) throw new Error(`${text} is refused`);
  return verifyStored(hash, spellings);
}

describe('verifyStored', () => {
  it.each(KNOWN)('verifies "%s" against %s', async (password, text) => {
    expect(await verify(text, password)).toBe(true);
    expect(await verify(text, `${password}x`)).toBe(false);
    expect(await verify(text, '')).toBe(false);
  });

  it('reads only the first 72 bytes for bcrypt, as the system that made the hash did', async () => {
    const text = await bcrypt(LONG, 4);
    expect(await verify(text, LONG)).toBe(true);
    expect(await verify(text, LONG.slice(0, 72))).toBe(true);
    expect(await verify(text, LONG.slice(0, 71))).toBe(false);
  });

  it.each(['2a', '2b', '2y'])(
    'reads the first 72 bytes of a password of 256 bytes for bcrypt $%s$',
    async (prefix) => {
      const text = (await bcrypt(LONG, 4)).replace('$2b$', `$${prefix}$`);
      expect(await verify(text, 'x'.repeat(256))).toBe(true);
      // The bcrypt package counts the bytes of $2a$ in eight bits and would read "xy" here.
      expect(
        await verify((await bcrypt('xyz', 4)).replace('$2b$', `$${prefix}$`), `xyz${LONG}${LONG}${LONG}`),
      ).toBe(false);
      expect(await verify(text, `x${'y'.repeat(255)}`)).toBe(false);
    },
  );

  it('accepts any of the spellings', async () => {
    const text = await bcrypt('second', 4);
    expect(await verify(text, 'first', 'second')).toBe(true);
    expect(await verify(text, 'first', 'third')).toBe(false);
  });
});
