// The arithmetic of the benchmarks.

/**
 * Returns the value below which that share of the values lies.
 * @param {readonly number[]} values at least one
 * @param {number} share 0 to 1
 */
export function quantile(values, share) {
  if (values.length === 0) throw new Error('there is no quantile of nothing');
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}

/** @param {readonly number[]} values at least one */
export const median = (values) => quantile(values, 0.5);

/**
 * A measured value with its spread.
 * @typedef {{ value: number, low: number, high: number }} Measure
 */

/**
 * Returns the median of the rounds, and the lowest and the highest of them.
 * @param {readonly number[]} values one for each round
 * @returns {Measure}
 */
export function summarize(values) {
  return { value: median(values), low: Math.min(...values), high: Math.max(...values) };
}

/**
 * Compares two contenders round by round, because the machine's speed varies between rounds.
 * @param {readonly number[]} values one for each round
 * @param {readonly number[]} references those of the same rounds
 * @returns {Measure}
 */
export function ratio(values, references) {
  if (values.length !== references.length) throw new Error('the contenders differ in their rounds');
  return summarize(values.map((value, round) => value / references[round]));
}
