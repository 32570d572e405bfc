import { isUtf8 } from 'node:buffer';
import { AppError } from '../../common/errors/app-error.js';
import { parseJsonBody } from '../../common/validation/json-text.js';
import { type ImportRow, importRow } from './account-row.js';
import { csvAccount, csvFields, csvHeader } from './csv-record.js';
import { type Line, LineSplitter, TooManyOpenQuotes } from './line-splitter.js';

export const NDJSON = 'application/x-ndjson';
export const CSV = 'text/csv';

/** What a line of the body says; the line stands in the message of its fault. */
export interface NumberedRow {
  readonly line: number;
  readonly row: ImportRow;
}

/** Reads a body as it comes, line by line. In CSV the first line names the columns. */
export class ImportReader {
  private readonly splitter: LineSplitter;
  private columns: readonly string[] | null = null;

  constructor(private readonly isCsv: boolean) {
    this.splitter = new LineSplitter(isCsv);
  }

  /** The rows that are complete by now. @throws AppError `VALIDATION_ERROR` for what is no such file */
  *take(chunk: Buffer, isLast: boolean): Generator<NumberedRow> {
    try {
      for (const line of this.splitter.take(chunk, isLast)) {
        if (this.isCsv && this.columns === null) this.columns = csvHeader(headerFields(line));
        else yield { line: line.number, row: line.fault ?? this.rowOf(line.bytes) };
      }
    } catch (error) {
      if (!(error instanceof TooManyOpenQuotes)) throw error;
      throw AppError.invalid('body', 'body must be CSV: too many quotes are opened that nothing closes');
    }
  }

  private rowOf(bytes: Buffer): ImportRow {
    return this.columns ? csvRow(this.columns, bytes) : jsonRow(bytes);
  }
}

const headerFields = ({ bytes, fault }: Line): string[] | null =>
  fault === null && isUtf8(bytes) ? csvFields(bytes.toString()) : null;

function csvRow(columns: readonly string[], bytes: Buffer): ImportRow {
  if (!isUtf8(bytes)) return 'must be valid UTF-8';
  const fields = csvFields(bytes.toString());
  if (!fields) return 'must be valid CSV: a field with a quote in it stands in quotes';
  const account = csvAccount(columns, fields);
  return account ? importRow(account) : `must hold ${columns.length} fields, as the header does`;
}

function jsonRow(bytes: Buffer): ImportRow {
  let given: unknown;
  try {
    given = parseJsonBody(bytes);
  } catch (error) {
    if (error instanceof AppError) return error.message.replace(/^body /, '');
    throw error;
  }
  if (namesOneTwice(bytes.toString(), given)) return 'must not name a property twice';
  return importRow(given);
}

/** JSON.parse takes the last of them without a word. */
function namesOneTwice(text: string, value: unknown): boolean {
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
