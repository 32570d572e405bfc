/**
 * The maximum length of a line in bytes. The longest possible user takes an eighth of it, however it is
 * escaped.
 */
export const MAX_LINE_BYTES = 64 * 1024;
/**
 * The maximum number of unclosed quotes. Each one makes the splitter read up to {@link MAX_LINE_BYTES} again.
 */
const MAX_OPEN_QUOTES = 1000;

const LF = 0x0a;
const CR = 0x0d;
const QUOTE = 0x22;
const BOM = Buffer.of(0xef, 0xbb, 0xbf);

export const TOO_LONG = `is longer than ${MAX_LINE_BYTES} bytes`;

/** The characters that may separate the fields of CSV. The header shows which one does. */
export const delimiters = [',', ';', '\t'] as const;
export type Delimiter = (typeof delimiters)[number];

/**
 * A record of the body: a line, several lines of CSV when quoted fields contain line breaks, or an element of a
 * JSON array.
 */
export interface Line {
  /** The number of its first line, from 1. */
  readonly number: number;
  /** The bytes without the line break. */
  readonly bytes: Buffer;
  /** The reason why it is not a record, or null. */
  readonly fault: string | null;
}

/** The error thrown when the body is not CSV as declared. */
export class OpenQuotesError extends Error {}

/**
 * Splits a streamed body into records. Reports what it cannot parse as one faulty line and continues with the
 * next line. A line is faulty if it is too long or, in CSV, has an unclosed quote. csv-parse would lose the
 * good records after such a line.
 */
export class LineSplitter {
  private rest: Buffer = Buffer.alloc(0);
  private number = 1;
  private atStart = true;
  private skipping = false;
  private openQuotes = 0;
  /** Marks every possible delimiter until the header is read. */
  private isDelimiter = byteTable(delimiters.join(''));

  constructor(private readonly isCsv: boolean) {}

  /** Sets the delimiter for the records after the header. */
  set delimiter(delimiter: Delimiter) {
    this.isDelimiter = byteTable(delimiter);
  }

  /** Yields the records completed by this chunk, without blank ones. `isLast` marks the end of the body. */
  *push(chunk: Buffer, isLast: boolean): Generator<Line> {
    let bytes: Buffer = this.rest.length === 0 ? chunk : Buffer.concat([this.rest, chunk]);
    if (this.atStart && bytes.length < BOM.length && !isLast) {
      this.rest = bytes;
      return;
    }
    if (this.atStart && bytes.subarray(0, BOM.length).equals(BOM)) bytes = bytes.subarray(BOM.length);
    this.atStart = false;
    let start = 0;
    while (start < bytes.length) {
      if (!this.skipping) start = this.skipBlankLines(bytes, start);
      const { end, fault } = this.endOf(bytes, start, isLast);
      if (end === null) break;
      const line = trimCarriageReturn(bytes.subarray(start, Math.min(end, start + MAX_LINE_BYTES + 1)));
      if (!this.skipping && (fault !== null || !isBlank(line))) {
        yield { number: this.number, bytes: line, fault };
      }
      this.skipping = end === bytes.length && fault === TOO_LONG && !isLast;
      this.number += countLineBreaks(bytes, start, end + 1);
      start = end + 1;
    }
    // A copy, because a subarray would keep the whole chunk in memory.
    this.rest = Buffer.from(bytes.subarray(start));
  }

  /**
   * Returns the start of the first line that is not blank, or not complete. A body may consist of millions of
   * blank lines, so that a line costs no more than its bytes.
   */
  private skipBlankLines(bytes: Buffer, from: number): number {
    let start = from;
    let { number } = this;
    for (let at = from; at < bytes.length; at++) {
      const byte = bytes[at]!;
      if (byte === LF && at - start <= MAX_LINE_BYTES) {
        start = at + 1;
        number++;
      } else if (!isBlankByte(byte) && !(byte === CR && bytes[at + 1] === LF)) break;
    }
    this.number = number;
    return start;
  }

  /** Returns null as `end` when the record is incomplete. */
  private endOf(bytes: Buffer, start: number, isLast: boolean): { end: number | null; fault: string | null } {
    const lineEnd = bytes.indexOf(LF, start);
    const firstEnd = lineEnd < 0 ? bytes.length : lineEnd;
    const hasEnd = lineEnd >= 0 || isLast;
    if (this.skipping) return { end: firstEnd, fault: TOO_LONG };
    if (firstEnd - start > MAX_LINE_BYTES) return { end: firstEnd, fault: TOO_LONG };
    if (!this.isCsv) return { end: hasEnd ? firstEnd : null, fault: null };
    const end = recordEnd(bytes, start, this.isDelimiter);
    if (end !== null && end - start <= MAX_LINE_BYTES) {
      return { end: end < bytes.length || isLast ? end : null, fault: null };
    }
    if (end === null && !isLast && bytes.length - start <= MAX_LINE_BYTES) return { end: null, fault: null };
    if (!hasEnd) return { end: null, fault: null };
    if (++this.openQuotes > MAX_OPEN_QUOTES) throw new OpenQuotesError();
    return { end: firstEnd, fault: 'opens a quote that is never closed' };
  }
}

/**
 * Finds the end of a CSV record (RFC 4180): the first line break outside quotes, or the end of the bytes.
 * Returns null inside quotes.
 */
function recordEnd(bytes: Buffer, start: number, isDelimiter: Uint8Array): number | null {
  let quoted = false;
  let fieldStarts = true;
  const limit = Math.min(bytes.length, start + MAX_LINE_BYTES + 1);
  for (let at = start; at < limit; at++) {
    const byte = bytes[at]!;
    if (quoted) {
      // A doubled quote is an escaped quote.
      if (byte === QUOTE && bytes[at + 1] === QUOTE) at++;
      else if (byte === QUOTE) quoted = false;
    } else if (byte === LF) return at;
    else if (byte === QUOTE && fieldStarts) quoted = true;
    fieldStarts = isDelimiter[byte] === 1;
  }
  return quoted ? null : limit;
}

/** Returns 1 at the place of each byte of the text. */
function byteTable(text: string): Uint8Array {
  const table = new Uint8Array(256);
  for (const byte of Buffer.from(text)) table[byte] = 1;
  return table;
}

const trimCarriageReturn = (line: Buffer): Buffer => (line.at(-1) === CR ? line.subarray(0, -1) : line);

const isBlankByte = (byte: number): boolean => byte === 0x20 || byte === 0x09;

const isBlank = (line: Buffer): boolean => line.every(isBlankByte);

function countLineBreaks(bytes: Buffer, from: number, to: number): number {
  let breaks = 0;
  for (let at = bytes.indexOf(LF, from); at >= 0 && at < to; at = bytes.indexOf(LF, at + 1)) breaks++;
  return breaks;
}
