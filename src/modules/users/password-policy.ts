import { createRequire } from 'node:module';
import { codePointLength, foldCase } from '../../common/text.js';

const PRODUCT_NAME = 'gatehouse';
/** In code points: shorter words stand in too many passwords by chance. */
const MIN_WORD_LENGTH = 4;
const WORD_BREAKS = /[^\p{L}\p{M}\p{N}]+/u;

export interface ChosenPassword {
  readonly password: string;
  readonly email: string;
  readonly name: string;
}

/**
 * Why a new password is refused, as a message for the client about that field, or null when it may be used. Its shape
 * was checked before. Compared in NFC and without regard to case; there are no composition rules
 * (NIST SP 800-63B-4, 3.1.1.2), and no guesses from a common password to its variations: those are
 * for the list of breached ones.
 */
export function checkPassword({ password, email, name }: ChosenPassword, field = 'password'): string | null {
  const folded = foldCase(password);
  if (folded.includes(PRODUCT_NAME)) return `${field} must not contain the name of the product`;
  if (containsWord(folded, [localPart(email)]))
    return `${field} must not contain the name in the e-mail address`;
  if (containsWord(folded, name.split(WORD_BREAKS))) return `${field} must not contain a word of the name`;
  if (isCommon(password)) return `${field} must not be a commonly used one`;
  return null;
}

const containsWord = (folded: string, words: readonly string[]): boolean =>
  words.map(foldCase).some((word) => codePointLength(word) >= MIN_WORD_LENGTH && folded.includes(word));

const localPart = (email: string): string => email.trim().split('@', 1)[0] ?? '';

interface CommonPasswords {
  test(lowerCase: string): boolean;
}

const require = createRequire(import.meta.url);
const loadCommonPasswords = (): CommonPasswords => require('fxa-common-password-list');
let commonPasswords: CommonPasswords | undefined;

/**
 * Among the 50,000 most used of 8 characters and more: Mozilla's list of them in lower case, which is
 * complete and has no false hits. Read at first use, in some 20 ms, for it takes several megabytes;
 * looked up in a twentieth of a millisecond, which hides behind the hash that follows.
 */
function isCommon(password: string): boolean {
  commonPasswords ??= loadCommonPasswords();
  return commonPasswords.test(password.normalize('NFC').toLowerCase());
}
