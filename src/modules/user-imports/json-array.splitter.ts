import { AppError } from '../../common/errors/app.error.js';
import { type Line, MAX_LINE_BYTES, TOO_LONG } from './line.splitter.js';

const LF = 0x0a;
const QUOTE = 0x22;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;
const ARRAY_START = 0x5b;
const ARRAY_END = 0x5d;
const isOpening = (byte: number): boolean => byte === ARRAY_START || byte === 0x7b;
const isClosing = (byte: number): boolean => byte === ARRAY_END || byte === 0x7d;
const isBlank = (byte: number): boolean => byte === 0x20 || (byte >= 0x09 && byte <= 0x0d);
/** Recognizes the bytes of the byte order mark in UTF-8, which may precede the array. */
const isByteOrderMark = (byte: number): boolean => byte === 0xef || byte === 0xbb || byte === 0xbf;

/**
 * Splits a streamed JSON array into its elements. Follows brackets and strings only, so that it holds one
 * element at a time and an invalid element fails alone. An element that is too long is skipped and reported.
 */
export class JsonArraySplitter {
  /** `first` stands before the first element, and `value` after a comma. */
  private phase: 'start' | 'first' | 'value' | 'element' | 'separator' | 'end' = 'start';
  private number = 1;
  /** The element that is being read: its first line, nesting and bytes so far. */
  private elementLine = 1;
  private depth = 0;
  private quoted = false;
  private escaped = false;
  private parts: Buffer[] = [];
  private size = 0;

  /**
   * Yields the elements completed by this chunk, each with the number of its first line. `isLast` marks the
   * end of the body.
   * @throws AppError `VALIDATION_ERROR` when the body is not an array
   */
  *push(chunk: Buffer, isLast: boolean): Generator<Line> {
    let start = 0;
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at]!;
      if ((this.phase === 'first' || this.phase === 'value') && this.begins(byte)) start = at;
      if (this.phase === 'element') {
        const end = this.endsAt(byte);
        if (end !== null) {
          yield this.complete(chunk.subarray(start, end === 'after' ? at + 1 : at));
          if (end === 'before') this.pass(byte);
        }
      } else this.pass(byte);
      if (byte === LF) this.number++;
    }
    if (this.phase === 'element') this.append(chunk.subarray(start));
    if (isLast && this.phase !== 'end' && this.phase !== 'start') throw notAnArray('the array is not closed');
  }

  /** Begins an element with this byte, unless it belongs to the array. */
  private begins(byte: number): boolean {
    if (isBlank(byte) || byte === ARRAY_END || byte === COMMA) return false;
    this.phase = 'element';
    this.elementLine = this.number;
    this.depth = 0;
    this.quoted = false;
    return true;
  }

  /** Judges a byte outside elements. */
  private pass(byte: number): void {
    if (isBlank(byte)) return;
    if (this.phase === 'start') {
      if (isByteOrderMark(byte)) return;
      if (byte !== ARRAY_START) throw notAnArray('send one user per line as application/x-ndjson');
      this.phase = 'first';
    } else if (this.phase === 'end') throw notAnArray(`line ${this.number} follows its end`);
    else if (byte === ARRAY_END) {
      if (this.phase === 'value') throw notAnArray(`line ${this.number} lacks a user after the comma`);
      this.phase = 'end';
    } else if (this.phase === 'separator' && byte === COMMA) this.phase = 'value';
    else throw notAnArray(`line ${this.number} lacks a comma or a user`);
  }

  /** Judges a byte of an element. Returns where the element ends, or null. */
  private endsAt(byte: number): 'before' | 'after' | null {
    if (this.quoted) {
      if (this.escaped) this.escaped = false;
      else if (byte === BACKSLASH) this.escaped = true;
      else if (byte === QUOTE) {
        this.quoted = false;
        if (this.depth === 0) return 'after';
      }
      return null;
    }
    if (byte === QUOTE) this.quoted = true;
    else if (isOpening(byte)) this.depth++;
    else if (isClosing(byte)) {
      if (this.depth === 0) return 'before';
      return --this.depth === 0 ? 'after' : null;
    } else if (this.depth === 0 && (byte === COMMA || isBlank(byte))) return 'before';
    return null;
  }

  private append(part: Buffer): void {
    this.size += part.length;
    if (this.size <= MAX_LINE_BYTES) this.parts.push(part);
    else this.parts = [];
  }

  private complete(last: Buffer): Line {
    this.append(last);
    const fault = this.size > MAX_LINE_BYTES ? TOO_LONG : null;
    const line = { number: this.elementLine, bytes: Buffer.concat(this.parts), fault };
    this.phase = 'separator';
    this.parts = [];
    this.size = 0;
    return line;
  }
}

const notAnArray = (reason: string): AppError =>
  AppError.invalid('body', `body must be a JSON array of users; ${reason}`);
