import { isUtf8 } from 'node:buffer';
import { AppError } from '../../common/errors/app.error.js';
import { parseJsonBody } from '../../common/validation/json-text.js';
import { type ImportRow, parseImportRow } from './parse-import-row.js';
import { BodyDecoder } from './body.decoder.js';
import { type CsvHeader, toImportRecord, parseCsvFields, parseCsvHeader } from './csv-record.js';
import { JsonArraySplitter } from './json-array.splitter.js';
import { type Line, LineSplitter, OpenQuotesError } from './line.splitter.js';

export const NDJSON = 'application/x-ndjson';
export const JSON_ARRAY = 'application/json';
export const CSV = 'text/csv';
/** The media types of a file of users. */
export const importTypes = [NDJSON, JSON_ARRAY, CSV] as const;
export type ImportType = (typeof importTypes)[number];

/** The beginning of the last line of an NDJSON export, which is not a user. */
const COMPLETION = Buffer.from('{"_complete":');

/** A row of the body with its line number, which appears in the row's error message. */
export interface NumberedRow {
  readonly line: number;
  readonly row: ImportRow;
}

/** Parses a streamed body row by row. In CSV the first line names the columns. */
export class ImportReader {
  private readonly decoder = new BodyDecoder();
  private readonly lines: LineSplitter | null;
  private readonly splitter: LineSplitter | JsonArraySplitter;
  private header: CsvHeader | null = null;

  constructor(private readonly type: ImportType) {
    this.lines = type === JSON_ARRAY ? null : new LineSplitter(type === CSV);
    this.splitter = this.lines ?? new JsonArraySplitter();
  }

  /**
   * Yields the rows completed by this chunk.
   * @throws AppError `VALIDATION_ERROR` for a body in another format
   */
  *push(chunk: Buffer, isLast: boolean): Generator<NumberedRow> {
    try {
      for (const line of this.splitter.push(this.decoder.push(chunk, isLast), isLast)) {
        if (this.type === CSV && this.header === null) this.readHeader(line);
        else if (!this.isCompletion(line))
          yield { line: line.number, row: line.fault ?? this.rowOf(line.bytes) };
      }
    } catch (error) {
      if (!(error instanceof OpenQuotesError)) throw error;
      throw AppError.invalid('body', 'body must be CSV; it has too many unclosed quotes');
    }
  }

  private readHeader({ bytes, fault }: Line): void {
    this.header = parseCsvHeader(fault === null && isUtf8(bytes) ? bytes.toString() : null);
    if (this.lines) this.lines.delimiter = this.header.delimiter;
  }

  private isCompletion({ bytes }: Line): boolean {
    return this.type === NDJSON && bytes.subarray(0, COMPLETION.length).equals(COMPLETION);
  }

  private rowOf(bytes: Buffer): ImportRow {
    return this.header ? csvRow(this.header, bytes) : jsonRow(bytes);
  }
}

function csvRow({ columns, delimiter }: CsvHeader, bytes: Buffer): ImportRow {
  if (!isUtf8(bytes)) return 'must be valid UTF-8';
  const fields = parseCsvFields(bytes.toString(), delimiter);
  if (!fields) return 'must be valid CSV; quote a field that contains a quote';
  const record = toImportRecord(columns, fields);
  return record ? parseImportRow(record) : `must have ${columns.length} fields, like the header`;
}

function jsonRow(bytes: Buffer): ImportRow {
  let given: unknown;
  try {
    given = parseJsonBody(bytes);
  } catch (error) {
    if (error instanceof AppError) return error.message.replace(/^body /, '');
    throw error;
  }
  if (hasDuplicateName(bytes.toString(), given)) return 'must not contain a property twice';
  return parseImportRow(given);
}

/** Detects duplicate property names, because JSON.parse silently keeps the last one. */
function hasDuplicateName(text: string, value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
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
