import { AppError } from '../../common/errors/app.error.js';

const FIELD = /(?:"((?:[^"]|"")*)"|([^",]*))(,|$)/gy;

/** Parses the fields of one record (RFC 4180) in linear time. Returns null for an invalid record. */
export function parseCsvFields(record: string): string[] | null {
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

/** The columns that an import accepts. */
const COLUMNS = ['email', 'name', 'locale', 'password_hash', 'email_verified', 'status', 'roles'] as const;

/** Validates the header, whose columns may come in any order. @throws AppError `VALIDATION_ERROR` */
export function parseCsvHeader(fields: readonly string[] | null): readonly string[] {
  const columns = (fields ?? []).map((column) => column.trim());
  const unknown = columns.find((column) => !(COLUMNS as readonly string[]).includes(column));
  // The message does not name the unknown column: without a header, it could be personal data of the first
  // user.
  if (fields === null || unknown !== undefined) {
    throw AppError.invalid('body', `line 1: the header may contain only the columns ${COLUMNS.join(', ')}`);
  }
  if (new Set(columns).size < columns.length)
    throw AppError.invalid('body', 'line 1: the header must not contain a column twice');
  const missing = ['email', 'name'].find((column) => !columns.includes(column));
  if (missing !== undefined)
    throw AppError.invalid('body', `line 1: the header must contain the column ${missing}`);
  return columns;
}

/**
 * Returns the record as a JSON row and omits empty fields.
 * @returns null when the number of fields is wrong
 */
export function toImportRecord(
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
