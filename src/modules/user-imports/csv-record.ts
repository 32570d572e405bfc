import { AppError } from '../../common/errors/app-error.js';

const FIELD = /(?:"((?:[^"]|"")*)"|([^",]*))(,|$)/gy;

/** The fields of one record (RFC 4180), or null when it is none. Linear. */
export function csvFields(record: string): string[] | null {
  const fields: string[] = [];
  FIELD.lastIndex = 0;
  for (;;) {
    const match = FIELD.exec(record);
    if (!match) return null;
    const [, quoted, plain = '', separator] = match;
    fields.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
    if (separator === '') return fields;
  }
}

/** Columns that an account can have. */
const COLUMNS = ['email', 'name', 'password_hash', 'email_verified', 'status', 'roles'] as const;

/** The columns by name, in any order. @throws AppError `VALIDATION_ERROR` */
export function csvHeader(fields: readonly string[] | null): readonly string[] {
  const columns = (fields ?? []).map((column) => column.trim());
  const unknown = columns.find((column) => !(COLUMNS as readonly string[]).includes(column));
  // What it is called may be anything, down to the first account of a file without a header.
  if (fields === null || unknown !== undefined) {
    throw AppError.invalid('body', `line 1: the header must name columns of ${COLUMNS.join(', ')} alone`);
  }
  if (new Set(columns).size < columns.length)
    throw AppError.invalid('body', 'line 1: the header names a column twice');
  const missing = ['email', 'name'].find((column) => !columns.includes(column));
  if (missing !== undefined)
    throw AppError.invalid('body', `line 1: the header must name the column ${missing}`);
  return columns;
}

/** As the same account in JSON: what is left empty is left out. @returns null for another number of fields */
export function csvAccount(
  columns: readonly string[],
  fields: readonly string[],
): Record<string, unknown> | null {
  if (fields.length !== columns.length) return null;
  return Object.fromEntries(
    columns.flatMap((column, place) => {
      const text = fields[place] ?? '';
      return text === '' ? [] : [[column, valueOf(column, text)]];
    }),
  );
}

function valueOf(column: string, text: string): unknown {
  if (column === 'roles') return text.split(/[;|]/).map((role) => role.trim());
  if (column === 'email_verified') return { true: true, false: false }[text.toLowerCase()] ?? text;
  return text;
}
