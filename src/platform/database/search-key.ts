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
