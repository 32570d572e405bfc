import { codePointLength, foldCase } from '../../../common/text.js';
import { isCommonPassword } from './common-passwords.js';
import { containsDisguised, undisguised, withoutSeparators } from './look-alikes.js';

/** The minimum word length in code points. Shorter words occur in too many passwords by chance. */
const MIN_WORD_LENGTH = 4;
const WORD_BREAKS = /[^\p{L}\p{M}\p{N}]+/u;

export interface ChosenPassword {
  readonly password: string;
  readonly email: string;
  readonly name: string;
  /** The name of the product (`PRODUCT_NAME`). */
  readonly product: string;
}

/**
 * Returns the reason for refusing a new password, as a message about `field`, or null if the password is
 * fine. The caller has already validated length and characters. Ignores case, accents and usual disguises.
 * Imposes no composition rules (NIST SP 800-63B-4, 3.1.1.2), because a decorated common password stays easy
 * to guess.
 */
export function checkPassword(
  { password, email, name, product }: ChosenPassword,
  field = 'password',
): string | null {
  if (containsWord(password, [product])) return `${field} must not contain the name of the product`;
  if (containsWord(password, [localPart(email)]))
    return `${field} must not contain the name in the email address`;
  if (containsWord(password, name.split(WORD_BREAKS))) return `${field} must not contain a word of the name`;
  if (isCommonPassword(password)) return `${field} must not be a commonly used one`;
  return null;
}

function containsWord(password: string, words: readonly string[]): boolean {
  const folded = foldCase(password);
  const plain = undisguised(password);
  const joined = withoutSeparators(plain);
  return words.map(foldCase).some((word) => {
    if (codePointLength(word) < MIN_WORD_LENGTH) return false;
    if (folded.includes(word)) return true;
    const bare = undisguised(word);
    const bareJoined = withoutSeparators(bare);
    return (
      (bare.length >= MIN_WORD_LENGTH && containsDisguised(plain, bare)) ||
      (bareJoined.length >= MIN_WORD_LENGTH && containsDisguised(joined, bareJoined))
    );
  });
}

const localPart = (email: string): string => email.trim().split('@', 1)[0] ?? '';
