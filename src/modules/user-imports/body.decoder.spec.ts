import { isUtf8 } from 'node:buffer';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { BodyDecoder } from './body.decoder.js';

/** Decodes a body in chunks of these sizes, which repeat. */
function decoded(body: Buffer, sizes: readonly number[]): Buffer {
  const decoder = new BodyDecoder();
  const parts: Buffer[] = [];
  for (let at = 0, turn = 0; at < body.length; turn++) {
    const size = sizes[turn % sizes.length] ?? 1;
    parts.push(decoder.push(body.subarray(at, at + size), false));
    at += size;
  }
  return Buffer.concat([...parts, decoder.push(Buffer.alloc(0), true)]);
}

const littleEndian = (text: string) => Buffer.from(`\ufeff${text}`, 'utf16le');
const bigEndian = (text: string) => littleEndian(text).swap16();
const sizes = fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 4 });
const texts = fc.string({ unit: fc.constantFrom('a', ',', '\n', 'é', '😀', '\u{10ffff}'), maxLength: 30 });

describe('the decoder of a body', () => {
  it('converts UTF-16 with a byte order mark to the same text, however it is chunked', () => {
    fc.assert(
      fc.property(texts, sizes, (text, chunks) => {
        expect(decoded(littleEndian(text), chunks).toString()).toBe(text);
        expect(decoded(bigEndian(text), chunks).toString()).toBe(text);
      }),
    );
  });

  it('passes every other body on unchanged', () => {
    const others = fc.uint8Array({ maxLength: 30 }).filter(([first = 0]) => first < 0xfe);
    fc.assert(
      fc.property(others, sizes, (bytes, chunks) => {
        expect(decoded(Buffer.from(bytes), chunks).equals(Buffer.from(bytes))).toBe(true);
      }),
    );
  });

  it('marks lone surrogates and half a unit as invalid', () => {
    for (const body of [littleEndian('a\ud800b'), bigEndian('\udc00'), littleEndian('a\ud800')]) {
      expect(isUtf8(decoded(body, [3]))).toBe(false);
    }
    expect(isUtf8(decoded(littleEndian('ab').subarray(0, -1), [2]))).toBe(false);
  });
});
