import { findCanonicalEmail } from '../../common/email-address.js';
import { foldCase, foldSearch, foldTurkishI } from '../../common/text.js';

/**
 * The rows whose key holds an i of Turkish: until the fill has completed their keys, they are found by it. To the
 * letter the predicate of the index `users_search_turkish`.
 */
const HOLDS_TURKISH_I = `(search_key LIKE '%ı%' OR search_key LIKE '%i\u0307%')`;

/**
 * Returns the condition that a user's `search_key` holds a text, in a form that the indexes know. A key that the fill
 * has not completed yet (see SearchKeyFill) holds the text as it was typed, or with another i.
 * @param pattern an SQL expression for the pattern (see likePattern)
 */
export const holds = (pattern: string): string =>
  `(search_key LIKE ${pattern} OR (${HOLDS_TURKISH_I} AND search_fold(search_key) LIKE ${pattern}))`;

/**
 * Returns the condition that a `search_key` (of a user or of an image) holds a text, whether the fill has completed
 * the key or not: an export that is resumed after it sends the same rows. No index knows it.
 */
export const holdsInAnyForm = (pattern: string): string =>
  `(search_key LIKE ${pattern} OR (search_key_is_partial(search_key) AND search_form(search_key) LIKE ${pattern}))`;

/** Returns what follows from {@link holds}, in the form that the index of pairs knows. */
export const holdsPairs = (pairs: string): string =>
  `(search_pairs(search_key) @> ${pairs} OR (${HOLDS_TURKISH_I} AND search_pairs(search_fold(search_key)) @> ${pairs}))`;

/** The terms that one search text stands for. A row that fits any of them is found. */
export interface SearchTerms {
  /** The text in the form of a search, and as it was typed where that differs: keys hold both, old ones the latter. */
  readonly texts: readonly string[];
  /** The canonical form of a text that is a whole e-mail address, otherwise null. */
  readonly emailKey: string | null;
}

/**
 * Returns the terms of a search text. Sign-in takes an address in any spelling, but the search key holds no domain in
 * its ASCII form, so a whole address is compared in its canonical form too.
 */
export function searchTerms(search: string): SearchTerms {
  const texts = new Set([foldSearch(search), foldTurkishI(foldCase(search))]);
  return { texts: [...texts], emailKey: findCanonicalEmail(search) };
}

/**
 * Returns the condition that a row fits any of the terms. Each part has an index of its own, so the whole has too.
 * @param texts a condition for each text (see holds, holdsPairs)
 * @param emailKey an SQL expression for the canonical address, or null when there is none
 */
export const anyTerm = (texts: readonly string[], emailKey: string | null): string =>
  `(${[...texts, ...(emailKey === null ? [] : [`email_key = ${emailKey}`])].join(' OR ')})`;
