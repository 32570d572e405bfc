/**
 * Matches text that a spreadsheet would run as a formula, also behind apostrophes. Counting these keeps the
 * prefix reversible: the first apostrophe of such a cell is always the prefix.
 */
const FORMULA = /^'*[=+\-@\t\r\0]/;
const PREFIXED_FORMULA = /^'+[=+\-@\t\r\0]/;

/** Prefixes a formula with an apostrophe, so that no spreadsheet runs it. */
export const prefixFormula = (text: string): string => (FORMULA.test(text) ? `'${text}` : text);

/** Removes the one apostrophe that {@link prefixFormula} adds, and changes no other text that it returns. */
export const removeFormulaPrefix = (cell: string): string =>
  PREFIXED_FORMULA.test(cell) ? cell.slice(1) : cell;
