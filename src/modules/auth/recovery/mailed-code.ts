import { randomBytes } from 'node:crypto';

/** Digits and capitals without I, L, O and U, which are easily misread (Crockford's base 32). */
const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
/** The number of random characters, for 165 bits. With hyphens a code is as long as the tokens of earlier versions. */
const CHARACTERS = 33;
const CODE = new RegExp(`^[${ALPHABET}]{${CHARACTERS}}$`);
const EVERY_THREE = /.{3}(?=.)/g;

/** Returns a random code that can be read aloud and typed: groups of three, such as `7K3-QXM-…`. */
export function newCode(): string {
  const characters = Array.from(randomBytes(CHARACTERS), (byte) => ALPHABET[byte % ALPHABET.length]);
  return grouped(characters.join(''));
}

/**
 * Returns the code as it was mailed. The user may have typed it in another case, without hyphens, or with the letters
 * that look like 0 and 1. Returns other text, such as a token of an earlier version, unchanged.
 */
export function canonicalCode(given: string): string {
  const characters = given
    .replaceAll(/[\s-]/g, '')
    .toUpperCase()
    .replaceAll('O', '0')
    .replaceAll(/[IL]/g, '1');
  return CODE.test(characters) ? grouped(characters) : given;
}

const grouped = (characters: string): string => characters.replaceAll(EVERY_THREE, '$&-');
