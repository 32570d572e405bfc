import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  MAX_JSON_DEPTH,
  MAX_JSON_ITEMS,
  MAX_JSON_PROPERTIES,
  MAX_JSON_VALUES,
  parseJsonBody,
  unsafeTextFault,
} from './json-text.js';

const parse = (text: string) => parseJsonBody(Buffer.from(text));
const refused = (field: string, message: string | RegExp) =>
  expect.objectContaining({
    code: 'VALIDATION_ERROR',
    message: typeof message === 'string' ? message : expect.stringMatching(message),
    details: [{ field, message: expect.any(String) }],
  });
const thrownBy = (work: () => unknown): unknown => {
  try {
    return { returned: work() };
  } catch (error) {
    return error;
  }
};
const nested = (levels: number) => '['.repeat(levels) + ']'.repeat(levels);

describe('parseJsonBody', () => {
  const propertiesOf = (count: number) =>
    JSON.stringify(Object.fromEntries(Array.from({ length: count }, (_, n) => [`k${n}`, n])));

  it('limits the properties, the items and the total values', () => {
    expect(parse(propertiesOf(MAX_JSON_PROPERTIES))).toBeDefined();
    expect(thrownBy(() => parse(propertiesOf(MAX_JSON_PROPERTIES + 1)))).toEqual(
      refused('body', /properties/),
    );
    expect(thrownBy(() => parse(`{"name":${propertiesOf(MAX_JSON_PROPERTIES + 1)}}`))).toEqual(
      refused('name', /properties/),
    );
    const items = (count: number) => JSON.stringify({ ids: Array.from({ length: count }, () => 1) });
    expect(parse(items(MAX_JSON_ITEMS))).toBeDefined();
    expect(thrownBy(() => parse(items(MAX_JSON_ITEMS + 1)))).toEqual(refused('ids', /items/));
    const lists = (count: number) => JSON.stringify(Array.from({ length: count }, () => [1, 1, 1, 1]));
    expect(parse(lists((MAX_JSON_VALUES - 1) / 5 - 1))).toBeDefined();
    expect(thrownBy(() => parse(lists(MAX_JSON_VALUES / 5)))).toEqual(refused('body', /values/));
  });

  it('returns the same value as JSON.parse', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 5, noUnicodeString: false }), (text) => {
        const result = thrownBy(() => parse(text));
        if (!(result instanceof Error)) expect(result).toEqual({ returned: JSON.parse(text) });
      }),
    );
  });

  it('throws only VALIDATION_ERROR, for any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        const result = thrownBy(() => parseJsonBody(Buffer.from(bytes)));
        expect(result).toEqual(
          expect.objectContaining(
            result instanceof Error ? { code: 'VALIDATION_ERROR' } : { returned: expect.anything() },
          ),
        );
      }),
    );
  });

  it(`accepts up to ${MAX_JSON_DEPTH} levels of arrays and objects`, () => {
    expect(parse(nested(MAX_JSON_DEPTH))).toBeInstanceOf(Array);
    expect(thrownBy(() => parse(nested(MAX_JSON_DEPTH + 1)))).toEqual(refused('body', /deeper than 32/));
    const objects = (levels: number) => `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`;
    expect(parse(objects(MAX_JSON_DEPTH))).toHaveProperty('a');
    expect(thrownBy(() => parse(objects(MAX_JSON_DEPTH + 1)))).toEqual(refused('body', /deeper than 32/));
  });

  it('counts levels, not brackets', () => {
    const many = Array.from({ length: 1000 }, () => nested(31)).join();
    expect(parse(`[${many}]`)).toHaveLength(1000);
  });

  it.each(['"[[["', '"\\"[[["', '"\\\\"', '"\\\\\\"[{"'])(
    'does not count brackets in strings: %s',
    (inner) => {
      expect(parse(`[${Array.from({ length: 40 }, () => inner).join()}]`)).toHaveLength(40);
    },
  );

  it('rejects a million brackets before parsing them', () => {
    expect(thrownBy(() => parse('['.repeat(1_000_000)))).toEqual(refused('body', /deeper than 32/));
  });

  it.each(['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty'])(
    'refuses the key %s anywhere',
    (key) => {
      expect(thrownBy(() => parse(`{"${key}":1}`))).toEqual(refused('body', /forbidden property name/));
      expect(thrownBy(() => parse(`{"a":[{"b":{"${key}":1}}]}`))).toEqual(
        refused('a', /forbidden property name/),
      );
      expect(parse(`{"a":"${key}"}`)).toEqual({ a: key });
    },
  );
});

describe('unsafeText', () => {
  it('reports lone surrogates and U+0000, and nothing else', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const unsafe = !text.isWellFormed() || text.includes('\0');
        expect(unsafeTextFault(text) !== null).toBe(unsafe);
      }),
    );
  });
});
