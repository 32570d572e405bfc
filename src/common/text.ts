/** Unicode category Cc (C0, DEL, C1), and surrogates without their half, which no UTF-8 can carry. */
const CONTROL = /[\p{Cc}\p{Cs}]/u;

/** The length people count in: U+1F600 is one, though JavaScript says two. Counted without a copy of the text. */
export function codePointLength(text: string): number {
  let length = 0;
  for (let i = 0; i < text.length; i += text.codePointAt(i)! > 0xffff ? 2 : 1) length++;
  return length;
}

/** Whether it holds a control character (tab and line breaks included) or a lone surrogate. Linear. */
export const hasControlCharacters = (text: string): boolean => CONTROL.test(text);

/**
 * Without outer white space. A text with control characters is left whole, so that the rule against
 * them sees a line break at its end too.
 */
export const trimText = (text: string): string => (hasControlCharacters(text) ? text : text.trim());

/**
 * The form in which texts are compared where case does not matter: NFC and lower case, never shown.
 * NFC comes last as well, since lower case can open a composition (H + U+0331 has none, h + U+0331
 * has). The final sigma becomes the plain one, as in Unicode's CaseFolding: JavaScript chooses
 * between them by the next letter, which a part of a word lacks. Accents stay, and ß is not ss:
 * NFKC and full folding would find what people did not type. Idempotent.
 */
export const foldCase = (text: string): string =>
  text.normalize('NFC').toLowerCase().replaceAll('ς', 'σ').normalize('NFC');

/** Makes one i of the four of Turkish: `İ` in lower case is i and a dot above, and `ı` has no dot at all. */
export const foldTurkishI = (folded: string): string =>
  folded.replaceAll('ı', 'i').replaceAll(/i\u0307+/g, 'i');

/**
 * The form in which texts are searched: {@link foldCase}, NFKC and {@link foldTurkishI}, because a search term does
 * not tell how its letters were typed when the text was stored. Idempotent. The decomposition comes before the lower
 * case, since letters such as ℌ have none of their own. In the database `search_form` makes it of a folded text.
 */
export const foldSearch = (text: string): string =>
  foldTurkishI(foldCase(text).normalize('NFKD').toLowerCase().replaceAll('ς', 'σ')).normalize('NFC');

/** Returns the SQL LIKE pattern (escape character `\`, the default) of texts that hold this one. */
export const likePattern = (part: string): string => `%${part.replace(/[\\%_]/g, '\\$&')}%`;
