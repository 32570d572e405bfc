import { prefixFormula } from '../../../common/csv-formula.js';

const SPECIAL = /[",\r\n]/;

/**
 * Formats text as a CSV field (RFC 4180). Prefixes a formula with an apostrophe so that no spreadsheet runs
 * it. An import removes the prefix.
 */
export function csvText(text: string): string {
  const cell = prefixFormula(text);
  return SPECIAL.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
}

/** Formats any JSON value as a CSV field. Joins a list of strings with `;`, and writes an object as JSON. */
export function csvValue(value: unknown): string {
  if (value === null || value === undefined) return '';
  if (Array.isArray(value) && value.every((item) => typeof item === 'string'))
    return csvText(value.join(';'));
  return csvText(typeof value === 'string' ? value : JSON.stringify(value));
}
