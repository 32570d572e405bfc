import { isUtf8 } from 'node:buffer';
import { AppError } from '../../common/errors/app.error.js';
import { BodyDecoder } from './body.decoder.js';
import { type CsvHeader, parseCsvHeader } from './csv-record.js';
import { JsonArraySplitter } from './json-array.splitter.js';
import { type Line, LineSplitter, OpenQuotesError, TOO_LONG } from './line.splitter.js';

export const NDJSON = 'application/x-ndjson';
export const JSON_ARRAY = 'application/json';
export const CSV = 'text/csv';
/** The media types of a file of users. */
export const importTypes = [NDJSON, JSON_ARRAY, CSV] as const;
export type ImportType = (typeof importTypes)[number];

/** The type of a file, and the header of CSV. Contains no personal data. */
export interface ImportForm {
  readonly type: ImportType;
  /** Null for JSON, and for CSV before the first line. */
  readonly header: CsvHeader | null;
}

/** The only property of the last line of an NDJSON export, which is not a user. */
const COMPLETION = '_complete';
/** The beginning of that line. Other lines are not parsed here. */
const COMPLETION_START = Buffer.from(`{"${COMPLETION}":`);
/** The row reader judges UTF-8. It sees only what the decoder made of UTF-16. */
const BROKEN_UTF16 = 'must be valid UTF-16';
const NOTHING = Buffer.alloc(0);

/** Splits a streamed body into the lines that hold a user. In CSV the first line names the columns. */
export class ImportReader {
  private readonly decoder = new BodyDecoder();
  private readonly splitter: LineSplitter | JsonArraySplitter;
  private header: CsvHeader | null = null;

  constructor(private readonly type: ImportType) {
    this.splitter = type === JSON_ARRAY ? new JsonArraySplitter() : new LineSplitter(type === CSV);
  }

  get form(): ImportForm {
    return { type: this.type, header: this.header };
  }

  /**
   * Yields the lines completed by this chunk. A line that cannot hold a user has a fault; the bytes of one that
   * is too long are left out.
   * @throws AppError `VALIDATION_ERROR` for a body in another format
   */
  *push(chunk: Buffer, isLast: boolean): Generator<Line> {
    try {
      for (const line of this.splitter.push(this.decoder.push(chunk, isLast), isLast)) {
        if (this.type === CSV && this.header === null) this.readHeader(line);
        else if (line.fault === TOO_LONG) yield { ...line, bytes: NOTHING };
        else if (!this.isCompletion(line))
          yield this.isBrokenUtf16(line) ? { ...line, fault: BROKEN_UTF16 } : line;
      }
    } catch (error) {
      if (!(error instanceof OpenQuotesError)) throw error;
      throw AppError.invalid('body', 'body must be CSV; it has too many unclosed quotes');
    }
  }

  private readHeader({ bytes, fault }: Line): void {
    this.header = parseCsvHeader(fault === null && isUtf8(bytes) ? bytes.toString() : null);
    if (this.splitter instanceof LineSplitter) this.splitter.delimiter = this.header.delimiter;
  }

  private isBrokenUtf16({ bytes, fault }: Line): boolean {
    return this.decoder.isUtf16 && fault === null && !isUtf8(bytes);
  }

  private isCompletion({ bytes }: Line): boolean {
    if (this.type !== NDJSON || !bytes.subarray(0, COMPLETION_START.length).equals(COMPLETION_START))
      return false;
    try {
      const line = JSON.parse(bytes.toString()) as object;
      return Object.keys(line).every((name) => name === COMPLETION);
    } catch {
      return false;
    }
  }
}
