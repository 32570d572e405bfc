const LITTLE_ENDIAN = Buffer.of(0xff, 0xfe);
const BIG_ENDIAN = Buffer.of(0xfe, 0xff);
/** A byte that no UTF-8 text contains. It replaces invalid UTF-16, so that the import rejects the row. */
const INVALID = Buffer.of(0xff);
const NOTHING = Buffer.alloc(0);
const UNIT_BYTES = 2;
/** In UTF-16, only a lone surrogate is a code point of this category. */
const LONE_SURROGATE = /\p{Cs}/u;

type Encoding = 'utf-8' | 'utf-16le' | 'utf-16be';

/**
 * Converts a body to UTF-8 as it arrives. UTF-16 is recognized by its byte order mark; every other body is
 * passed on unchanged.
 */
export class BodyDecoder {
  private encoding: Encoding | null = null;
  private rest: Buffer = NOTHING;

  /** True once the body has shown that it is UTF-16. */
  get isUtf16(): boolean {
    return this.encoding === 'utf-16le' || this.encoding === 'utf-16be';
  }

  /** Returns what this chunk completes. `isLast` marks the end of the body. */
  push(chunk: Buffer, isLast: boolean): Buffer {
    const bytes = this.rest.length === 0 ? chunk : Buffer.concat([this.rest, chunk]);
    this.rest = NOTHING;
    if (this.encoding === null) {
      if (bytes.length < UNIT_BYTES && !isLast) {
        this.rest = bytes;
        return NOTHING;
      }
      this.encoding = encodingOf(bytes);
      if (this.encoding !== 'utf-8') return this.decode(bytes.subarray(UNIT_BYTES), isLast);
    }
    return this.encoding === 'utf-8' ? bytes : this.decode(bytes, isLast);
  }

  private decode(bytes: Buffer, isLast: boolean): Buffer {
    const isSwapped = this.encoding === 'utf-16be';
    let end = bytes.length - (bytes.length % UNIT_BYTES);
    // The second half of a pair may be in the next chunk.
    if (!isLast && end > 0 && isLeadSurrogate(bytes[end - (isSwapped ? 2 : 1)]!)) end -= UNIT_BYTES;
    const text = isSwapped
      ? Buffer.from(bytes.subarray(0, end)).swap16().toString('utf16le')
      : bytes.toString('utf16le', 0, end);
    if (!isLast) this.rest = Buffer.from(bytes.subarray(end));
    else if (end < bytes.length) return Buffer.concat([toUtf8(text), INVALID]);
    return toUtf8(text);
  }
}

function encodingOf(bytes: Buffer): Encoding {
  const mark = bytes.subarray(0, UNIT_BYTES);
  if (mark.equals(LITTLE_ENDIAN)) return 'utf-16le';
  return mark.equals(BIG_ENDIAN) ? 'utf-16be' : 'utf-8';
}

/** Judges the high byte of a unit. */
const isLeadSurrogate = (high: number): boolean => high >= 0xd8 && high <= 0xdb;

function toUtf8(text: string): Buffer {
  if (text.isWellFormed()) return Buffer.from(text);
  const parts = text.split(LONE_SURROGATE).map((part) => Buffer.from(part));
  return Buffer.concat(parts.flatMap((part, index) => (index === 0 ? [part] : [INVALID, part])));
}
