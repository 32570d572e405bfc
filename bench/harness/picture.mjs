// Draws rows with a target as bars.

const WIDTH = 860;
const LABEL = 380;
const VALUE = 90;
const BAR = WIDTH - LABEL - VALUE - 20;
const STEP = 26;
const TOP = 44;

/**
 * Draws how far each row is from its target: the bar of a row that has just reached it ends at the line.
 * @param {readonly import('./rows.mjs').JudgedRow[]} rows those without a target of their own are left out
 * @returns {string} an SVG document
 */
export function drawRows(rows) {
  const drawn = rows.filter(({ target, targetId }) => target !== null && targetId === undefined);
  const height = TOP + drawn.length * STEP + 12;
  const line = LABEL + BAR / 2;
  const bars = drawn.map((row, place) => drawRow(row, TOP + place * STEP));
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="Measured rows beside their targets" font-family="system-ui, sans-serif" font-size="13">
<rect width="100%" height="100%" fill="#ffffff"/>
<text x="${line}" y="24" text-anchor="middle" fill="#57606a">target; longer is better</text>
${bars.join('\n')}
<line x1="${line}" x2="${line}" y1="${TOP - 10}" y2="${height - 8}" stroke="#57606a" stroke-dasharray="4 3"/>
</svg>
`;
}

function drawRow({ name, unit, measure, target, reached }, y) {
  // Twice the target fills the bar.
  const width = (Math.min(2, achievement(measure.value, target)) / 2) * BAR;
  const value = measure.value >= 100 ? measure.value.toFixed(0) : measure.value.toFixed(2);
  return `<text x="${LABEL - 8}" y="${y + 13}" text-anchor="end" fill="#24292f">${escape(name)}</text>
<rect x="${LABEL}" y="${y}" width="${width.toFixed(1)}" height="18" rx="2" fill="${reached ? '#2da44e' : '#bf8700'}"/>
<text x="${WIDTH - 8}" y="${y + 13}" text-anchor="end" fill="#24292f">${escape(`${value} ${unit}`.trim())}</text>`;
}

/**
 * Returns 1 for a value that has just reached its target, and more for a better one.
 * @param {number} value
 * @param {import('../targets.mjs').Target} target
 */
export function achievement(value, { atMost, atLeast }) {
  if (atMost !== undefined) return value <= 0 ? Infinity : atMost / value;
  return value / (atLeast ?? value);
}

function escape(text) {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}
