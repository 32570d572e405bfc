import { writeConstant } from './byte.writer.js';
import { csvText } from './csv.js';

/**
 * Encodes the binary PostgreSQL value between `start` and `end`. The output needs room for `MAX_BYTES_PER_BYTE`
 * bytes per input byte, plus `MAX_BYTES_AROUND` bytes.
 * @returns the end offset
 */
export type Encode = (out: Buffer, at: number, source: Buffer, start: number, end: number) => number;

/** The maximum output per input byte: a control character, escaped in JSON. */
export const MAX_BYTES_PER_BYTE = 6;
/** The maximum additional output: quotes, or the excess length of a time. */
export const MAX_BYTES_AROUND = 8;

const EPOCH_MS = Date.UTC(2000, 0, 1);
const DAY_MS = 86_400_000;
const MAX_KNOWN_DAYS = 5000;
/** The header size of a non-empty array. An empty array is shorter than this. */
const ARRAY_HEADER_BYTES = 20;
const SPACE = 0x20;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const DASH = 0x2d;
const ZERO = 0x30;
const COLON = 0x3a;
const POINT = 0x2e;
const Z = 0x5a;
const HEX = Buffer.from('0123456789abcdef');
const [TRUE, FALSE] = [Buffer.from('true'), Buffer.from('false')] as const;

/** The bytes that need quoting in a CSV field. The second table adds those that a formula or its prefix starts with. */
const CSV_SPECIAL = new Uint8Array(256);
for (const byte of Buffer.from('",\r\n')) CSV_SPECIAL[byte] = 1;
const CSV_SPECIAL_FIRST = CSV_SPECIAL.slice();
for (const byte of Buffer.from(`'=+-@\t\0`)) CSV_SPECIAL_FIRST[byte] = 1;

export const quoted =
  (encode: Encode): Encode =>
  (out, at, source, start, end) => {
    out[at] = QUOTE;
    const behind = encode(out, at + 1, source, start, end);
    out[behind] = QUOTE;
    return behind + 1;
  };

export const bareText: Encode = (out, at, source, start, end) => {
  for (let i = start; i < end; i++) out[at++] = source[i]!;
  return at;
};

/** Copies the bytes, because nearly every text needs no escaping. Falls back to JSON.stringify otherwise. */
export const jsonText: Encode = (out, at, source, start, end) => {
  const begin = at;
  out[at++] = QUOTE;
  for (let i = start; i < end; i++) {
    const byte = source[i]!;
    if (byte < SPACE || byte === QUOTE || byte === BACKSLASH)
      return begin + out.write(JSON.stringify(source.toString('utf8', start, end)), begin);
    out[at++] = byte;
  }
  out[at++] = QUOTE;
  return at;
};

/** Copies the bytes, because nearly every text needs no quoting. Falls back to `csvText` otherwise. */
export const csvCell: Encode = (out, at, source, start, end) => {
  const begin = at;
  let special = CSV_SPECIAL_FIRST;
  for (let i = start; i < end; i++) {
    const byte = source[i]!;
    if (special[byte] === 1) return begin + out.write(csvText(source.toString('utf8', start, end)), begin);
    special = CSV_SPECIAL;
    out[at++] = byte;
  }
  return at;
};

/**
 * Encodes an array of strings. PostgreSQL sends dimensions, flags and type, then length and lower bound of
 * the one dimension. Each element follows its length.
 */
export function array(open: string, encode: Encode, between: string, close: string): Encode {
  const [opening, separator, closing] = [open, between, close].map((text) => Buffer.from(text)) as Triple;
  return (out, at, source, start, end) => {
    at = writeConstant(out, at, opening);
    const first = start + ARRAY_HEADER_BYTES;
    for (let from = first; from < end;) {
      if (from > first) at = writeConstant(out, at, separator);
      const element = from + 4;
      from = element + source.readInt32BE(from);
      at = encode(out, at, source, element, from);
    }
    return writeConstant(out, at, closing);
  };
}
type Triple = [Buffer, Buffer, Buffer];

const knownDays = new Map<number, Buffer>();

/** Returns `2026-01-01T` from a cache, because users share few distinct days. */
function dayOf(day: number): Buffer {
  const known = knownDays.get(day);
  if (known !== undefined) return known;
  if (knownDays.size >= MAX_KNOWN_DAYS) knownDays.clear();
  const text = Buffer.from(new Date(day * DAY_MS).toISOString().slice(0, 11));
  knownDays.set(day, text);
  return text;
}

/** Encodes a time given in microseconds since the year 2000. */
export const time: Encode = (out, at, source, start) => {
  const micros = source.readInt32BE(start) * 2 ** 32 + source.readUInt32BE(start + 4);
  const ms = Math.floor(micros / 1000) + EPOCH_MS;
  const day = Math.floor(ms / DAY_MS);
  at = writeConstant(out, at, dayOf(day));
  // Uses 31-bit integers from here on, because they are fast.
  const inDay = (ms - day * DAY_MS) | 0;
  const inSecond = inDay % 1000;
  const seconds = ((inDay - inSecond) / 1000) | 0;
  const minutes = (seconds / 60) | 0;
  pair(out, at, (minutes / 60) | 0);
  out[at + 2] = COLON;
  pair(out, at + 3, minutes % 60);
  out[at + 5] = COLON;
  pair(out, at + 6, seconds % 60);
  out[at + 8] = POINT;
  out[at + 9] = ZERO + ((inSecond / 100) | 0);
  pair(out, at + 10, inSecond % 100);
  out[at + 12] = Z;
  return at + 13;
};

function pair(out: Buffer, at: number, value: number): void {
  const tens = (value / 10) | 0;
  out[at] = ZERO + tens;
  out[at + 1] = ZERO + value - tens * 10;
}

/** Encodes the 16 bytes of a UUID in canonical form. */
export const uuid: Encode = (out, at, source, start) => {
  for (let i = 0; i < 16; i++) {
    if (i === 4 || i === 6 || i === 8 || i === 10) out[at++] = DASH;
    const byte = source[start + i]!;
    out[at++] = HEX[byte >> 4]!;
    out[at++] = HEX[byte & 15]!;
  }
  return at;
};

export const boolean: Encode = (out, at, source, start) =>
  writeConstant(out, at, source[start] === 1 ? TRUE : FALSE);

export const integer: Encode = (out, at, source, start) =>
  at + out.write(String(source.readInt32BE(start)), at, 'latin1');
