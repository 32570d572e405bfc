// The rows of a run and their targets.

import { targets } from '../targets.mjs';

/**
 * One measured fact.
 * @typedef {object} Row
 * @property {string} id the key in `targets.mjs`, and in the results of other runs
 * @property {string} name the fact in words
 * @property {string} [targetId] the key in `targets.mjs` if it is not the id
 * @property {string} unit `×` for a ratio; empty for a plain number
 * @property {import('./statistics.mjs').Measure} measure
 */

/**
 * A row with its target. `failed` is true only for a gate that is missed without a reason.
 * @typedef {Row & { target: import('../targets.mjs').Target | null, reached: boolean | null, verdict: string, failed: boolean }} JudgedRow
 */

/**
 * Judges a row by its target.
 * @param {Row} row
 * @param {Readonly<Record<string, import('../targets.mjs').Target>>} [known]
 * @returns {JudgedRow}
 */
export function judge(row, known = targets) {
  const target = known[row.targetId ?? row.id] ?? null;
  if (target === null) return { ...row, target, reached: null, verdict: '', failed: false };
  const { value } = row.measure;
  const reached = value <= (target.atMost ?? Infinity) && value >= (target.atLeast ?? -Infinity);
  const verdict = reached ? 'reached' : `not reached${target.open === undefined ? '' : ', open'}`;
  return {
    ...row,
    target,
    reached,
    verdict,
    failed: !reached && target.gate === true && target.open === undefined,
  };
}
