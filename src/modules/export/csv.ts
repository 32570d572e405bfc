/** A spreadsheet takes a cell that begins so for a formula. */
const FORMULA = /^[=+\-@\t\r\0]/;
const SPECIAL = /[",\r\n]/;

/** A text in a record (RFC 4180), defused: a formula gets an apostrophe in front of it. */
export function csvText(text: string): string {
  const cell = FORMULA.test(text) ? `'${text}` : text;
  return SPECIAL.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
}

/** Any value of JSON: a list of words with `;` between them, and an object as its JSON. */
export function csvValue(value: unknown): string {
  if (value === null || value === undefined) return '';
  if (Array.isArray(value) && value.every((item) => typeof item === 'string'))
    return csvText(value.join(';'));
  return csvText(typeof value === 'string' ? value : JSON.stringify(value));
}
