import { likePattern } from '../../../common/text.js';
import {
  anyTerm,
  keyContains,
  keyContainsAll,
  keyContainsByReading,
  keyContainsPairs,
  searchTerms,
} from '../../../platform/database/search-key.js';

/** Matches three letters or digits in a row, for which pg_trgm has an index entry. */
const HAS_TRIGRAM = /[\p{L}\p{N}]{3}/u;
const WORDS = /[\p{L}\p{N}]+/gu;
/** The length from which a word is found by its inner trigrams alone. */
const LONG_WORD = 5;
/** Bounds the conditions that the planner compares with its samples. */
const MAX_WORDS = 3;

/**
 * Returns the condition that a row matches the search, for the planner to choose between the indexes and the
 * table. {@link searchParameters} returns the parameters of all conditions of this file.
 */
export function matchesSearch(search: string): string {
  const matches = ofTerms(search, (_, index) => keyContains(`:pattern${index}`));
  const lacksTrigram = !searchTerms(search).texts.every(hasTrigram);
  return lacksTrigram ? `${matches} AND ${matchesSearchByIndex(search)}` : matches;
}

/** Returns the same condition as {@link matchesSearch}, for rows that are read one by one. */
export function matchesSearchByReading(search: string): string {
  return ofTerms(search, (_, index) => keyContainsByReading(`:pattern${index}`));
}

/**
 * Returns the condition whose share the planner estimates. It leaves out the keys that wait for completion,
 * because comparing their conditions with all samples takes longer than many a search.
 */
export function nearlyMatchesSearch(search: string): string {
  return ofTerms(search, (_, index) => `search_key LIKE :pattern${index}`);
}

/**
 * Returns a condition that implies {@link matchesSearchByWords} and leaves out only the keys that wait for completion,
 * for the planner to estimate.
 */
export function nearlyMatchesWords(search: string): string {
  return ofTerms(search, (text, index) =>
    wordsOf(text)
      .map((_, place) => `search_key LIKE :word${index}_${place}`)
      .join(' AND '),
  );
}

/**
 * Returns a condition implied by {@link matchesSearch}, in the form that the inverted indexes support. Texts
 * without a trigram use the index of pairs. The patterns are results of subqueries. The planner does not
 * compare these with its samples, so its plan depends only on the form of the condition.
 */
export function matchesSearchByIndex(search: string): string {
  return ofTerms(search, (text, index) =>
    hasTrigram(text)
      ? keyContains(hidden(`pattern${index}`))
      : keyContainsPairs(hidden(`pairs${index}`, 'text[]')),
  );
}

/**
 * Returns a condition implied by {@link matchesSearch}, in the form that the indexes of users with other roles
 * and of inactive users support. Requires {@link isFoundInFoldedKeys}.
 */
export function matchesSearchByFoldedKey(search: string): string {
  return ofTerms(search, (_, index) => `search_fold(search_key) LIKE ${hidden(`pattern${index}`)}`);
}

/**
 * Returns true if the folded key of each match contains the text and the text has trigrams. Folding removes the
 * dot above from an i, so a text that begins with such a dot is found only in the key itself.
 */
export const isFoundInFoldedKeys = (search: string): boolean =>
  searchTerms(search).texts.every((text) => hasTrigram(text) && !text.startsWith('\u0307'));

/**
 * Returns a condition implied by {@link matchesSearch}: a row contains the long words of each text, anywhere. The
 * trigrams at the edges of words are among the most frequent ones. Reading their entries takes several times as
 * long as reading those within the words, and hardly excludes another row.
 */
export function matchesSearchByWords(search: string): string {
  return ofTerms(search, (text, index) =>
    keyContainsAll(wordsOf(text).map((_, place) => hidden(`word${index}_${place}`))),
  );
}

/** Returns true if each text of the search has long words and something beside them. */
export const hasWords = (search: string): boolean =>
  searchTerms(search).texts.every((text) => wordsOf(text).some((word) => word !== text));

export function searchParameters(search: string): Record<string, unknown> {
  const { texts, emailKey } = searchTerms(search);
  const ofTexts = texts.flatMap((text, index) => [
    [`pattern${index}`, likePattern(text)],
    [`pairs${index}`, pairsOf(text)],
    ...wordsOf(text).map((word, place) => [`word${index}_${place}`, likePattern(word)]),
  ]);
  return { emailKey, ...Object.fromEntries(ofTexts) };
}

function ofTerms(search: string, condition: (text: string, index: number) => string): string {
  const { texts, emailKey } = searchTerms(search);
  return anyTerm(texts.map(condition), emailKey === null ? null : ':emailKey');
}

const hidden = (parameter: string, type = 'text'): string => `(SELECT :${parameter}::${type})`;

const hasTrigram = (text: string): boolean => HAS_TRIGRAM.test(text);

/** Returns the longest words of the text, if they are long enough. */
function wordsOf(text: string): string[] {
  const words = [...new Set(text.match(WORDS))].filter((word) => word.length >= LONG_WORD);
  return words.toSorted((a, b) => b.length - a.length).slice(0, MAX_WORDS);
}

/**
 * Returns the pairs that `search_pairs` in the database makes of this text. A single character is its own
 * pair.
 */
function pairsOf(text: string): string[] {
  const characters = Array.from(text);
  if (characters.length < 2) return characters;
  return characters.slice(1).map((character, index) => `${characters[index]}${character}`);
}
