import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { parseForm, parseQuery } from './query-text.js';

const safe = fc
  .string({ unit: 'grapheme', maxLength: 30 })
  .filter((text) => text.isWellFormed() && !text.includes('\0') && !(text in {}) && text !== 'prototype');

describe('parseQuery', () => {
  it('decodes an encoded query once', () => {
    const pairs = fc.uniqueArray(fc.tuple(safe, safe), { selector: ([name]) => name, maxLength: 6 });
    fc.assert(
      fc.property(pairs, (list) => {
        const query = list.map((pair) => pair.map(encodeURIComponent).join('=')).join('&');
        expect(parseQuery(`/path?${query}`)).toEqual(Object.fromEntries(list));
      }),
    );
  });

  it('throws only VALIDATION_ERROR, for any URL', () => {
    const url = fc.string({ unit: fc.constantFrom(...'?&=%+#/fe0[]ab'.split('')), maxLength: 40 });
    fc.assert(
      fc.property(url, (text) => {
        try {
          for (const value of Object.values(parseQuery(text))) expect(typeof value).toBe('string');
        } catch (error) {
          expect(error).toMatchObject({ code: 'VALIDATION_ERROR' });
        }
      }),
    );
  });

  it.each([
    ['/path', {}],
    ['/path?', {}],
    ['/path?&&', {}],
    ['/path?a', { a: '' }],
    ['/path?a=', { a: '' }],
    ['/path?a=b=c', { a: 'b=c' }],
    ['/path?a=b?c', { a: 'b?c' }],
    ['/path?a+b=c+d', { 'a b': 'c d' }],
    ['/path?a=%2B%2525', { a: '+%25' }],
  ])('reads %s', (url, expected) => {
    expect(parseQuery(url)).toEqual(expected);
  });

  it.each([
    'a=1&a=1',
    'a&a',
    'a=1&%61=2',
    '__proto__=1',
    'constructor=1',
    'a=%00',
    'a=%ff',
    'a=%',
    '%ud800=1',
  ])('rejects %s', (query) => {
    expect(() => parseQuery(`/path?${query}`)).toThrow(expect.objectContaining({ code: 'VALIDATION_ERROR' }));
  });
});

describe('parseForm', () => {
  const parse = (text: string) => parseForm(Buffer.from(text), ['a']);

  it.each([
    ['a=%00%0a', { a: '\0\n' }],
    ['b=1&a=2&c=%00', { a: '2' }],
    ['b=1', {}],
  ])('reads only the wanted parameters of %s', (text, expected) => {
    expect(parse(text)).toEqual(expected);
  });

  it.each([
    ['a=1&a=2', 'a must be given only once'],
    ['secret=1&secret=2', 'body must not contain a parameter twice'],
    [
      Array.from({ length: 101 }, (_, n) => `b${n}=`).join('&'),
      'body must not contain more than 100 parameters',
    ],
    ['constructor=1', 'body must not contain a forbidden parameter name'],
    ['%', 'body must be percent-encoded UTF-8'],
  ])('rejects %s', (text, message) => {
    expect(() => parse(text)).toThrow(expect.objectContaining({ code: 'VALIDATION_ERROR', message }));
  });
});
