// Markdown tables of the benchmarks.

/**
 * Formats rows of cells as an aligned Markdown table. The first column is text, all others are numbers.
 * @param {readonly (readonly unknown[])[]} rows the head first
 */
export function table([head, ...rows]) {
  const all = [head, ...rows].map((cells) => cells.map(String));
  const widths = head.map((_, column) => Math.max(3, ...all.map((cells) => cells[column].length)));
  const line = (cells) =>
    `| ${cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join(' | ')} |`;
  const rule = `|${widths.map((width, i) => (i === 0 ? '-'.repeat(width + 2) : `${'-'.repeat(width + 1)}:`)).join('|')}|`;
  return [line(all[0]), rule, ...all.slice(1).map(line)].join('\n');
}

/** Formats a number with three significant digits, and without decimals from 100 on. */
export function format(value) {
  if (Math.abs(value) >= 100) return value.toFixed(0);
  return Math.abs(value) >= 10 ? value.toFixed(1) : value.toFixed(2);
}

/**
 * Formats judged rows: the median, the spread over the rounds, the target and whether it is reached.
 * @param {readonly import('./rows.mjs').JudgedRow[]} rows
 */
export function rowsTable(rows) {
  const cells = rows.map(({ name, unit, measure: { value, low, high }, target, verdict }) => [
    name,
    `${format(value)} ${unit}`.trim(),
    low === high ? '' : `${format(low)} to ${format(high)}`,
    target === null ? '' : describeTarget(target, unit),
    verdict,
  ]);
  return table([['row', 'median', 'lowest to highest', 'target', ''], ...cells]);
}

/** @param {import('../targets.mjs').Target} target */
export function describeTarget({ atMost, atLeast }, unit) {
  const words = atMost === undefined ? `at least ${atLeast}` : `at most ${atMost}`;
  return `${words} ${unit}`.trim();
}
