import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { AppError } from '../../common/errors/app.error.js';
import { JsonArraySplitter } from './json-array.splitter.js';
import { type Line, MAX_LINE_BYTES, TOO_LONG } from './line.splitter.js';

/** Splits a body in chunks that end at these offsets. */
function split(body: string | Buffer, places: readonly number[] = []): Line[] {
  const bytes = Buffer.from(body);
  const splitter = new JsonArraySplitter();
  const ends = [...places.map((place) => place % (bytes.length + 1)), bytes.length].toSorted((a, b) => a - b);
  const lines = ends.flatMap((end, i) => [...splitter.push(bytes.subarray(ends[i - 1] ?? 0, end), false)]);
  return [...lines, ...splitter.push(Buffer.alloc(0), true)];
}

/** Returns the message of the refusal. Rethrows every other error. */
function refusalOf(body: string): string | null {
  try {
    split(body);
    return null;
  } catch (error) {
    if (error instanceof AppError && error.code === 'VALIDATION_ERROR') return error.message;
    throw error;
  }
}

const places = fc.array(fc.nat(), { maxLength: 8 });
const elements = fc.array(fc.jsonValue({ maxDepth: 3 }), { maxLength: 6 });
const indents = fc.constantFrom(0, 2, '\t');

describe('the splitter of a JSON array', () => {
  it('yields each element with its first line, however the array is formatted and chunked', () => {
    fc.assert(
      fc.property(
        elements,
        indents,
        fc.constantFrom('', '\ufeff', ' \n'),
        places,
        (values, indent, before, ends) => {
          const body = `${before}${JSON.stringify(values, null, indent)}\n`;
          const lines = split(body, ends);
          expect(lines.map(({ bytes }) => JSON.parse(bytes.toString()) as unknown)).toEqual(
            JSON.parse(JSON.stringify(values)),
          );
          const rows = body.split('\n');
          for (const { number, bytes } of lines)
            expect(rows[number - 1]).toContain(bytes.toString().split('\n')[0]);
        },
      ),
    );
  });

  it('yields the same lines and refusals however a damaged array is chunked', () => {
    const bytes = fc.string({
      unit: fc.constantFrom('{', '}', '[', ']', '"', ',', ':', '\\', '\n', 'a', '1'),
    });
    const outcome = (body: string, ends: readonly number[]): unknown => {
      try {
        return split(body, ends).map(({ number, bytes: text, fault }) => [number, text.toString(), fault]);
      } catch (error) {
        if (error instanceof AppError) return error.message;
        throw error;
      }
    };
    fc.assert(
      fc.property(bytes, places, (text, ends) => {
        expect(outcome(`[${text}`, ends)).toEqual(outcome(`[${text}`, []));
      }),
    );
  });

  it('reports an element that is too long by its line and continues with the next one', () => {
    const excess = fc.oneof(fc.integer({ min: -2, max: 3 }), fc.nat(2 * MAX_LINE_BYTES));
    fc.assert(
      fc.property(excess, places, (beyond, ends) => {
        const long = `"${'x'.repeat(MAX_LINE_BYTES - 2 + beyond)}"`;
        const lines = split(`[{"a":1},\n${long},\n{"b":"]"}]`, ends);
        expect(lines.map(({ number, fault }) => [number, fault])).toEqual([
          [1, null],
          [2, beyond > 0 ? TOO_LONG : null],
          [3, null],
        ]);
        expect(lines[2]?.bytes.toString()).toBe('{"b":"]"}');
      }),
      { numRuns: 30 },
    );
  });

  it.each([
    ['{"email":"a@b.example"}', /send one user per line/],
    ['[{} {}]', /line 1 lacks a comma/],
    ['[{},\n,{}]', /line 2 lacks a comma or a user/],
    ['[{},\n]', /line 2 lacks a user after the comma/],
    ['[,]', /line 1 lacks a comma or a user/],
    ['[{"a":1}', /not closed/],
    ['[{"a":"1}]', /not closed/],
    ['[{}]\n[{}]', /line 2 follows its end/],
  ])('refuses %j', (body, message) => {
    expect(refusalOf(body)).toMatch(message);
  });

  it('accepts an empty array', () => {
    for (const body of ['[]', ' [ \n ] ']) expect(split(body)).toEqual([]);
  });
});
