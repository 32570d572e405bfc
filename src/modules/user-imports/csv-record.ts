import { removeFormulaPrefix } from '../../common/csv-formula.js';
import { AppError } from '../../common/errors/app.error.js';
import { importFields, isKnownField } from './import-fields.js';
import { type Delimiter, delimiters } from './line.splitter.js';
import { hintFor, unknownNameFault } from './unknown-field.js';

/** Matches a field and what follows it. */
const FIELDS: Readonly<Record<Delimiter, RegExp>> = {
  ',': /(?:"((?:[^"]|"")*)"|([^",]*))(,|$)/gy,
  ';': /(?:"((?:[^"]|"")*)"|([^";]*))(;|$)/gy,
  '\t': /(?:"((?:[^"]|"")*)"|([^"\t]*))(\t|$)/gy,
};

/** The first record, which names the columns. */
export interface CsvHeader {
  readonly columns: readonly string[];
  readonly delimiter: Delimiter;
}

/** Parses the fields of one record (RFC 4180) in linear time. Returns null for an invalid record. */
export function parseCsvFields(record: string, delimiter: Delimiter): string[] | null {
  const fields: string[] = [];
  const pattern = FIELDS[delimiter];
  pattern.lastIndex = 0;
  for (;;) {
    const match = pattern.exec(record);
    if (!match) return null;
    const [, quoted, plain = '', separator] = match;
    fields.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
    if (separator === '') return fields;
  }
}

/**
 * Validates the header, whose columns may come in any order and case. The delimiter is the one that splits it
 * into the most fields. Null stands for text that cannot be read.
 * @throws AppError `VALIDATION_ERROR`
 */
export function parseCsvHeader(record: string | null): CsvHeader {
  const readings = delimiters.flatMap((delimiter) => {
    const fields = record === null ? null : parseCsvFields(record, delimiter);
    if (!fields) return [];
    const names = fields.map((column) => column.trim());
    return [{ delimiter, names, columns: names.map((name) => name.toLowerCase()) }];
  });
  const header = readings.toSorted((a, b) => b.columns.length - a.columns.length)[0];
  // Without a known column this is no header, and its text could be personal data of the first user.
  if (!header?.columns.some((column) => isKnownField(column) || hintFor(column, importFields) !== null)) {
    throw AppError.invalid(
      'body',
      `line 1: the header may contain only the columns ${importFields.join(', ')}`,
    );
  }
  const unknown = header.names.find((name) => !isKnownField(name.toLowerCase()));
  if (unknown !== undefined)
    throw AppError.invalid('body', `line 1: ${unknownNameFault('column', unknown, importFields)}`);
  if (new Set(header.columns).size < header.columns.length)
    throw AppError.invalid('body', 'line 1: the header must not contain a column twice');
  if (!header.columns.includes('email'))
    throw AppError.invalid('body', 'line 1: the header must contain the column email');
  const { columns, delimiter } = header;
  return { columns, delimiter };
}

/**
 * Returns the record as a JSON row and omits empty fields. Removes the prefix that an export puts before
 * formulas.
 * @returns null when the number of fields is wrong
 */
export function toImportRecord(
  columns: readonly string[],
  fields: readonly string[],
): Record<string, unknown> | null {
  if (fields.length !== columns.length) return null;
  return Object.fromEntries(
    columns.flatMap((column, place) => {
      const text = removeFormulaPrefix(fields[place] ?? '');
      return isAbsent(column, text) ? [] : [[column, text]];
    }),
  );
}

/** Treats the word `null` as absent, except in an address or a name, because it may be somebody's name. */
const isAbsent = (column: string, text: string): boolean =>
  text === '' || (column !== 'email' && column !== 'name' && text.toLowerCase() === 'null');
