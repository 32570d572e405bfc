import { isUtf8 } from 'node:buffer';
import { AppError } from '../../common/errors/app.error.js';
import { parseJsonBody } from '../../common/validation/json-text.js';
import { type CsvHeader, parseCsvFields, toImportRecord } from './csv-record.js';
import type { ImportForm } from './import.reader.js';
import type { Line } from './line.splitter.js';
import { findGivenEmail, type ImportRow, parseImportRow } from './parse-import-row.js';

/** A user of a file, or the fault of its line. */
export interface ReadRow {
  /** The number of the line, from 1. */
  readonly line: number;
  readonly row: ImportRow;
  /** The address as given, also of a faulty row; null when it cannot be read. */
  readonly email: string | null;
}

/** A record with unchecked values, or the fault of the line as text. */
type RawRecord = Readonly<Record<string, unknown>> | string;

/** Reads the user that a line holds. Never throws: a fault is text without submitted values. */
export function readImportRow({ header }: ImportForm, { number, bytes, fault }: Line): ReadRow {
  const record = fault ?? (header ? csvRecord(header, bytes) : jsonRecord(bytes));
  if (typeof record === 'string') return { line: number, row: record, email: null };
  return { line: number, row: parseImportRow(record), email: findGivenEmail(record) };
}

function csvRecord({ columns, delimiter }: CsvHeader, bytes: Buffer): RawRecord {
  if (!isUtf8(bytes)) return 'must be valid UTF-8';
  const fields = parseCsvFields(bytes.toString(), delimiter);
  if (!fields) return 'must be valid CSV; quote a field that contains a quote';
  return toImportRecord(columns, fields) ?? `must have ${columns.length} fields, like the header`;
}

function jsonRecord(bytes: Buffer): RawRecord {
  let given: unknown;
  try {
    given = parseJsonBody(bytes);
  } catch (error) {
    if (error instanceof AppError) return error.message.replace(/^body /, '');
    throw error;
  }
  if (typeof given !== 'object' || given === null || Array.isArray(given)) return 'must be a JSON object';
  if (hasDuplicateName(bytes.toString(), given)) return 'must not contain a property twice';
  return given as Readonly<Record<string, unknown>>;
}

/** Detects duplicate property names, because JSON.parse silently keeps the last one. */
function hasDuplicateName(text: string, value: object): boolean {
  let depth = 0;
  let names = 0;
  for (let at = 0; at < text.length; at++) {
    const char = text.charCodeAt(at);
    if (char === 0x22) at = closingQuote(text, at);
    else if (char === 0x7b || char === 0x5b) depth++;
    else if (char === 0x7d || char === 0x5d) depth--;
    else if (char === 0x3a && depth === 1) names++;
  }
  return names > Object.keys(value).length;
}

function closingQuote(text: string, opening: number): number {
  let at = opening + 1;
  while (at < text.length && text.charCodeAt(at) !== 0x22) at += text.charCodeAt(at) === 0x5c ? 2 : 1;
  return at;
}
