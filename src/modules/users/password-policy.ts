import { codePointLength, foldCase } from '../../common/text.js';
import { isCommonPassword } from './common-passwords.js';

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
 * Returns why a new password is refused, as a message for the client about that field, or null when it may be
 * used. The shape of the password was checked before. Compares in NFC and ignores case. There are no
 * composition rules (NIST SP 800-63B-4, 3.1.1.2): a common password stays easy to guess when it is decorated.
 */
export function checkPassword({ password, email, name }: ChosenPassword, field = 'password'): string | null {
  const folded = foldCase(password);
  if (folded.includes(PRODUCT_NAME)) return `${field} must not contain the name of the product`;
  if (containsWord(folded, [localPart(email)]))
    return `${field} must not contain the name in the e-mail address`;
  if (containsWord(folded, name.split(WORD_BREAKS))) return `${field} must not contain a word of the name`;
  if (isCommonPassword(password)) return `${field} must not be a commonly used one`;
  return null;
}

const containsWord = (folded: string, words: readonly string[]): boolean =>
  words.map(foldCase).some((word) => codePointLength(word) >= MIN_WORD_LENGTH && folded.includes(word));

const localPart = (email: string): string => email.trim().split('@', 1)[0] ?? '';
