/** Unicode category Cc (C0, DEL, C1), and unpaired surrogates, which UTF-8 cannot encode. */
const CONTROL = /[\p{Cc}\p{Cs}]/u;

/** Counts code points without copying the text. U+1F600 is one character to people, but two to JavaScript. */
export function codePointLength(text: string): number {
  let length = 0;
  for (let i = 0; i < text.length; i += text.codePointAt(i)! > 0xffff ? 2 : 1) length++;
  return length;
}

/**
 * Returns true if the text contains a control character (including tabs and line breaks) or a lone surrogate.
 * Linear.
 */
export const hasControlCharacters = (text: string): boolean => CONTROL.test(text);

/**
 * Trims white space. Text with control characters stays unchanged, so that the rule against them also sees a
 * line break at its end.
 */
export const trimText = (text: string): string => (hasControlCharacters(text) ? text : text.trim());

/**
 * Returns the form for case-insensitive comparison: NFC and lower case, never shown to users. NFC runs again
 * at the end, because lower case can open a composition (H + U+0331 has none, h + U+0331 has one). The final
 * sigma becomes the plain one, as in Unicode's CaseFolding. JavaScript chooses between them by the next
 * letter, which a part of a word lacks. Accents stay and ß is not ss, because NFKC and full folding would
 * match text that the user did not type. Idempotent.
 */
export const foldCase = (text: string): string =>
  text.normalize('NFC').toLowerCase().replaceAll('ς', 'σ').normalize('NFC');

/**
 * Merges the four Turkish letters i into one. In lower case, `İ` is i plus a dot above, and `ı` has no dot.
 */
export const foldTurkishI = (folded: string): string =>
  folded.replaceAll('ı', 'i').replaceAll(/i\u0307+/g, 'i');

/**
 * Returns the form for searching: {@link foldCase}, NFKC and {@link foldTurkishI}. A search term does not
 * show how the stored text was typed. Idempotent. Decomposition comes before lower case, because letters such
 * as ℌ have no lower case of their own. In the database `search_form` converts folded text in the same way.
 */
export const foldSearch = (text: string): string =>
  foldTurkishI(foldCase(text).normalize('NFKD').toLowerCase().replaceAll('ς', 'σ')).normalize('NFC');

/** Returns the SQL LIKE pattern (default escape character `\`) that matches text which contains this part. */
export const likePattern = (part: string): string => `%${part.replace(/[\\%_]/g, '\\$&')}%`;

/** The maximum number of characters of a name that a message repeats. */
const MAX_SHOWN_LENGTH = 64;

/** Returns a name that a client sent, shortened for a message. A whole body may have been taken for a name. */
export const shownName = (name: string): string =>
  name.length <= MAX_SHOWN_LENGTH ? name : `${name.slice(0, MAX_SHOWN_LENGTH - 1).toWellFormed()}…`;
