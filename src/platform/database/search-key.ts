import { findCanonicalEmail } from '../../common/email-address.js';
import { foldCase, foldSearch, foldTurkishI } from '../../common/text.js';

/**
 * Matches rows whose key contains a Turkish i. Until the fill has completed their keys, searches find them
 * through this condition. It must equal the predicate of the index `users_search_turkish_i` exactly.
 */
const CONTAINS_TURKISH_I = `least(1, strpos(search_key, 'ı') + strpos(search_key, 'i\u0307')) = 1`;

/**
 * Returns the condition that a user's `search_key` contains a text, in a form that the indexes support. A key
 * that the fill has not completed yet (see SearchKeyFillService) contains the text as typed, or with another i.
 * @param pattern an SQL expression for the pattern (see likePattern)
 */
export const keyContains = (pattern: string): string => keyContainsAll([pattern]);

/** Returns the condition that {@link keyContains} is true of each of the patterns, in the same form of the key. */
export function keyContainsAll(patterns: readonly string[]): string {
  const all = (key: string) => patterns.map((pattern) => `${key} LIKE ${pattern}`).join(' AND ');
  return `(${all('search_key')} OR (${CONTAINS_TURKISH_I} AND ${all('search_fold(search_key)')}))`;
}

/**
 * Returns the same condition as {@link keyContains} in the form that is evaluated fastest. No index supports it.
 * A dot above is a rarer character to look for than an i with one, and other letters with a dot change nothing.
 */
export const keyContainsByReading = (pattern: string): string =>
  `(search_key LIKE ${pattern} OR ((search_key LIKE '%ı%' OR search_key LIKE '%\u0307%') AND search_fold(search_key) LIKE ${pattern}))`;

/**
 * Returns the condition that a `search_key` (of a user or an image) contains a text, whether or not the fill
 * has completed the key. A resumed export therefore sends the same rows after the fill. No index supports it.
 */
export const holdsInAnyForm = (pattern: string): string =>
  `(search_key LIKE ${pattern} OR (search_key_is_partial(search_key) AND search_form(search_key) LIKE ${pattern}))`;

/** Returns a condition that {@link keyContains} implies, in the form that the index of letter pairs supports. */
export const keyContainsPairs = (pairs: string): string =>
  `(search_pairs(search_key) @> ${pairs} OR (${CONTAINS_TURKISH_I} AND search_pairs(search_fold(search_key)) @> ${pairs}))`;

/** The terms for one search text. A row that matches any of them is found. */
export interface SearchTerms {
  /**
   * The text in search form, and as typed where that differs. Complete keys contain both, old keys only the
   * latter.
   */
  readonly texts: readonly string[];
  /** The canonical form when the text is a complete email address, otherwise null. */
  readonly emailKey: string | null;
}

/**
 * Returns the terms of a search text. Sign-in accepts an address in any spelling, but the search key contains
 * no domain in its ASCII form. A complete address is therefore also compared in its canonical form.
 */
export function searchTerms(search: string): SearchTerms {
  const texts = new Set([foldSearch(search), foldTurkishI(foldCase(search))]);
  return { texts: [...texts], emailKey: findCanonicalEmail(search) };
}

/**
 * Returns the condition that a row matches any of the terms. Each part has its own index, so PostgreSQL can
 * use indexes for the whole condition.
 * @param texts a condition for each text (see keyContains, keyContainsPairs)
 * @param emailKey an SQL expression for the canonical address, or null when there is none
 */
export const anyTerm = (texts: readonly string[], emailKey: string | null): string =>
  `(${[...texts, ...(emailKey === null ? [] : [`email_key = ${emailKey}`])].join(' OR ')})`;
