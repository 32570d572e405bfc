import { findCanonicalEmail } from '../../common/email-address.js';
import { foldSearch } from '../../common/text.js';

/**
 * The rows whose stored key is not yet in the form of a search, as it may hold an i of Turkish. To the letter the
 * predicate of the index `users_search_turkish`.
 */
const HOLDS_TURKISH_I = `(search_key LIKE '%ı%' OR search_key LIKE '%i\u0307%')`;

/**
 * Returns the condition that a row with a `search_key` (of users, or of their images) holds what is searched for. The key of nearly every row is in the form
 * of a search already; of the others it is made on the way, so that whoever wrote a row, it is found.
 * @param pattern an SQL expression for the pattern (see likePattern)
 */
export const holds = (pattern: string): string =>
  `(search_key LIKE ${pattern} OR (${HOLDS_TURKISH_I} AND search_fold(search_key) LIKE ${pattern}))`;

/** Returns what follows from that, in the form that the index of pairs knows. */
export const holdsPairs = (pairs: string): string =>
  `(search_pairs(search_key) @> ${pairs} OR (${HOLDS_TURKISH_I} AND search_pairs(search_fold(search_key)) @> ${pairs}))`;

/** The terms that one search text stands for. A row that fits any of them is found. */
export interface SearchTerms {
  /** The text as given, and its NFKC form where the two are searched differently. */
  readonly texts: readonly string[];
  /** The canonical form of a text that is a whole e-mail address, otherwise null. */
  readonly emailKey: string | null;
}

/**
 * Returns the terms of a search text. Sign-in takes an address in any spelling, but the search key holds the spelling
 * as given, so a whole address is compared in its canonical form too.
 */
export function searchTerms(search: string): SearchTerms {
  const compatible = search.normalize('NFKC');
  const texts = foldSearch(compatible) === foldSearch(search) ? [search] : [search, compatible];
  return { texts, emailKey: findCanonicalEmail(search) };
}

/**
 * Returns the condition that a row fits any of the terms. Each part has an index of its own, so the whole has too.
 * @param texts a condition for each text (see holds, holdsPairs)
 * @param emailKey an SQL expression for the canonical address, or null when there is none
 */
export const anyTerm = (texts: readonly string[], emailKey: string | null): string =>
  `(${[...texts, ...(emailKey === null ? [] : [`email_key = ${emailKey}`])].join(' OR ')})`;
