import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { LineSplitter, MAX_LINE_BYTES } from './line.splitter.js';

/** A line with its bytes as latin1, one character per byte. */
interface Told {
  readonly number: number;
  readonly text: string;
  readonly fault: string | null;
}

const TOO_LONG = `is longer than ${MAX_LINE_BYTES} bytes`;

/** Returns the lines that the splitter yields for a body in these chunks. */
function told(chunks: readonly Buffer[], isCsv: boolean): Told[] {
  const splitter = new LineSplitter(isCsv);
  const lines: Told[] = [];
  const take = (chunk: Buffer, isLast: boolean) => {
    for (const { number, bytes, fault } of splitter.push(chunk, isLast))
      lines.push({ number, text: bytes.toString('latin1'), fault });
  };
  for (const chunk of chunks) take(chunk, false);
  take(Buffer.alloc(0), true);
  return lines;
}

/** Splits the body into chunks at these offsets. */
function cut(body: Buffer, places: readonly number[]): Buffer[] {
  const ends = [...places.map((place) => place % (body.length + 1)), body.length].toSorted((a, b) => a - b);
  return ends.map((end, i) => body.subarray(ends[i - 1] ?? 0, end));
}

const places = fc.array(fc.nat(), { maxLength: 8 });
/** Bytes with a meaning, bytes without one, and bytes that are invalid UTF-8. */
const parts = fc.array(
  fc.constantFrom('"', ',', '\n', '\r', ' ', 'a', '\xef', '\xbb', '\xbf', '\xff', '\0'),
  { maxLength: 60 },
);
const bytes = fc
  .tuple(fc.constantFrom('', '\xef\xbb\xbf'), parts)
  .map(([mark, rest]) => Buffer.from(mark + rest.join(''), 'latin1'));
/** The number of bytes beyond the limit. */
const excess = fc.oneof(fc.integer({ min: -2, max: 3 }), fc.nat(2 * MAX_LINE_BYTES));

describe('the line splitter', () => {
  it('yields the lines of the whole text with their numbers, however the bytes are chunked', () => {
    fc.assert(
      fc.property(bytes, places, (body, ends) => {
        const expected = body
          .toString('latin1')
          .replace(/^\xef\xbb\xbf/, '')
          .split('\n')
          .map((line, i) => ({ number: i + 1, text: line.replace(/\r$/, ''), fault: null }))
          .filter(({ text }) => /[^ \t]/.test(text));
        expect(told(cut(body, ends), false)).toEqual(expected);
      }),
    );
  });

  it('yields the same CSV records however the bytes are chunked', () => {
    fc.assert(
      fc.property(bytes, places, (body, ends) => {
        expect(told(cut(body, ends), true)).toEqual(told([body], true));
      }),
    );
  });

  it.each([false, true])(
    'skips runs of blank lines and counts them, however the bytes are chunked (CSV: %s)',
    (isCsv) => {
      const blank = fc.constantFrom('\n', '\r\n', ' \n', '\t \r\n');
      const runs = fc.array(fc.array(blank, { maxLength: 30 }), { minLength: 1, maxLength: 4 });
      fc.assert(
        fc.property(runs, places, (given, ends) => {
          const body = Buffer.from(given.map((run) => `${run.join('')} a,b \r\n`).join(''));
          const starts = given.map((_, place) =>
            given.slice(0, place + 1).reduce((sum, run) => sum + run.length + 1, 0),
          );
          expect(told(cut(body, ends), isCsv)).toEqual(
            starts.map((number) => ({ number, text: ' a,b ', fault: null })),
          );
        }),
      );
    },
  );

  it('reports a blank line that is too long', () => {
    const long = ' '.repeat(MAX_LINE_BYTES + 1);
    expect(told([Buffer.from(`\n${long}\n\nlast`)], false)).toMatchObject([
      { number: 2, fault: TOO_LONG },
      { number: 4, text: 'last', fault: null },
    ]);
  });

  it('yields whole CSV records with any text between their quotes', () => {
    const field = fc.string({ unit: fc.constantFrom('"', ',', '\n', '\r\n', 'a', ' '), maxLength: 8 });
    const record = fc
      .array(field, { minLength: 1, maxLength: 4 })
      .map((fields) => fields.map((text) => `"${text.replaceAll('"', '""')}"`).join(','));
    fc.assert(
      fc.property(fc.array(record), fc.constantFrom('\n', '\r\n'), places, (records, lineEnd, ends) => {
        const lines = told(cut(Buffer.from(records.join(lineEnd)), ends), true);
        expect(lines.map(({ text, fault }) => [text, fault])).toEqual(records.map((each) => [each, null]));
        const breaks = records.map((each) => each.split('\n').length);
        expect(lines.map(({ number }) => number)).toEqual(
          breaks.map((_, i) => breaks.slice(0, i).reduce((sum, count) => sum + count, 1)),
        );
      }),
    );
  });

  it.each([false, true])(
    'reports a line that is too long by its number and continues with the next one (CSV: %s)',
    (isCsv) => {
      fc.assert(
        fc.property(excess, fc.array(fc.nat(), { maxLength: 4 }), (beyond, ends) => {
          const long = 'x'.repeat(MAX_LINE_BYTES + beyond);
          const lines = told(cut(Buffer.from(`one\n${long}\nthree`), ends), isCsv);
          expect(lines.map(({ number, fault }) => [number, fault])).toEqual([
            [1, null],
            [2, beyond > 0 ? TOO_LONG : null],
            [3, null],
          ]);
          expect(lines.at(-1)?.text).toBe('three');
        }),
        { numRuns: 30 },
      );
    },
  );

  it('continues after a quote that is never closed, however the bytes are chunked', () => {
    const rest = Array.from({ length: 3000 }, (_, i) => `line ${i},of some length to get past the bound`);
    const body = Buffer.from(['first', '"never closed', ...rest].join('\n'));
    fc.assert(
      fc.property(places, (ends) => {
        const lines = told(cut(body, ends), true);
        expect(lines[1]).toMatchObject({ number: 2, fault: 'opens a quote that is never closed' });
        expect(lines.length).toBe(rest.length + 2);
        expect(lines.filter(({ fault }) => fault !== null)).toHaveLength(1);
        expect(lines.at(-1)).toEqual({ number: rest.length + 2, text: rest.at(-1), fault: null });
      }),
      { numRuns: 20 },
    );
  });
});
