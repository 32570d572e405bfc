import { lettersLike, undisguised, withoutSeparators } from './look-alikes.js';

const MAX_READINGS = 16;
const MIN_CORE_LENGTH = 3;
/** The maximum core length. Common passwords are hardly ever longer. */
const MAX_CORE_LENGTH = 24;
/** The maximum number of characters examined on either side. A longer run is not a usual affix. */
const MAX_AFFIX_LENGTH = 12;
const MAX_MARKS = 3;
const MAX_DIGITS = 4;
const KEY_ROWS = ['01234567890', '09876543210', '!@#$%^&*()', '!"§$%&/()='];
/** Matches a day or a month, because their order depends on the country. */
const DAY = '(?:0[1-9]|[12]\\d|3[01])';
const YEAR = '(?:19|20)\\d\\d';
const DATE = new RegExp(
  `^(?:${YEAR}(?:0\\d|1[0-2])${DAY}|${DAY}${DAY}${YEAR}|${DAY}${DAY}\\d\\d|(?:19|20)\\d{4})$`,
);

/**
 * Yields the words from which a password may be derived by usual means. These are upper case, accents,
 * look-alikes of letters, spaces and marks between letters, and digits, years, dates and marks around the
 * word. The number of words is bounded.
 */
export function* passwordVariations(password: string): Generator<string> {
  yield password.normalize('NFC').toLowerCase();
  const plain = undisguised(password);
  for (const core of coresOf(plain)) yield* readingsOf(core);
  const joined = withoutSeparators(plain);
  if (joined.length < plain.length) for (const core of coresOf(joined)) yield* readingsOf(core);
}

function* coresOf(characters: readonly string[]): Generator<readonly string[]> {
  const starts = affixLengths(characters).filter((length) => isUsualAffix(characters.slice(0, length)));
  const ends = affixLengths(characters.toReversed())
    .map((length) => characters.length - length)
    .filter((end) => isUsualAffix(characters.slice(end)));
  for (const start of starts) {
    for (const end of ends) {
      const length = end - start;
      if (length >= MIN_CORE_LENGTH && length <= MAX_CORE_LENGTH) yield characters.slice(start, end);
    }
  }
}

/** Returns every affix length from 0 to the length of the leading run of non-letters. */
function affixLengths(characters: readonly string[]): number[] {
  const firstLetter = characters.findIndex((character) => /\p{L}/u.test(character));
  const run = firstLetter === -1 ? characters.length : firstLetter;
  return Array.from({ length: Math.min(run, MAX_AFFIX_LENGTH) + 1 }, (_, length) => length);
}

function isUsualAffix(characters: readonly string[]): boolean {
  const digits = characters.filter((character) => /\d/.test(character));
  const marks = characters.filter((character) => !/\d/.test(character));
  return (
    (digits.length <= MAX_DIGITS || isKeyboardRun(digits) || DATE.test(digits.join(''))) &&
    (marks.length <= MAX_MARKS || isKeyboardRun(marks))
  );
}

/** Returns true if all characters are equal, or if they are neighbors on the keyboard. */
function isKeyboardRun(characters: readonly string[]): boolean {
  return new Set(characters).size === 1 || KEY_ROWS.some((row) => row.includes(characters.join('')));
}

function* readingsOf(characters: readonly string[]): Generator<string> {
  yield characters.join('');
  let readings = [''];
  for (const character of characters) {
    const letters = lettersLike(character);
    const chosen = readings.length * letters.length > MAX_READINGS ? letters.slice(0, 1) : letters;
    readings = chosen.flatMap((letter) => readings.map((reading) => reading + letter));
  }
  yield* readings;
}
