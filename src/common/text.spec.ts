import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import {
  codePointLength,
  foldCase,
  foldSearch,
  hasControlCharacters,
  likePattern,
  trimText,
} from './text.js';

const anyText = fc.string({ unit: 'binary' });

describe('codePointLength', () => {
  it('counts code points', () => {
    fc.assert(fc.property(anyText, (text) => expect(codePointLength(text)).toBe(Array.from(text).length)));
    expect(codePointLength('a😀é')).toBe(3);
  });
});

describe('hasControlCharacters', () => {
  it.each(['\0', '\t', '\n', '\r', '\x1f', '\x7f', '\x85', '\x9f', '\ud800', '\udfff'])(
    'sees %j',
    (control) => {
      expect(hasControlCharacters(`a${control}b`)).toBe(true);
    },
  );

  it.each(['', ' ', '\xa0', 'é', '😀', '\u200b', '\u2028'])('passes %j', (text) => {
    expect(hasControlCharacters(text)).toBe(false);
  });
});

describe('trimText', () => {
  it('takes off outer white space alone', () => {
    expect(trimText(' \u3000Ada  King\xa0')).toBe('Ada  King');
  });

  it('leaves control characters to be found', () => {
    fc.assert(
      fc.property(anyText, (text) =>
        expect(hasControlCharacters(trimText(text))).toBe(hasControlCharacters(text)),
      ),
    );
  });
});

describe('foldCase', () => {
  it('is idempotent', () => {
    fc.assert(
      fc.property(anyText, (text) => expect(foldCase(foldCase(text))).toBe(foldCase(text))),
      { numRuns: 1000 },
    );
    expect(foldCase(foldCase('H\u0331'))).toBe(foldCase('H\u0331'));
  });

  it('finds a text whatever its case and its composition', () => {
    expect(foldCase('CAFE\u0301')).toBe(foldCase('café'));
    expect(foldCase('ΝΙΚΟΣ')).toBe(foldCase('νικοσ'));
  });

  it('finds the beginning of a word that goes on after a sigma', () => {
    expect(foldCase('Πάσχα')).toContain(foldCase('ΠΆΣ'));
  });

  it('keeps apart what is written apart', () => {
    expect(foldCase('Strauß')).not.toBe(foldCase('Strauss'));
    expect(foldCase('resume')).not.toBe(foldCase('résumé'));
  });
});

describe('likePattern', () => {
  it('takes %, _ and \\ as plain characters, and folds', () => {
    expect(likePattern('50%_\\A')).toBe('%50\\%\\_\\\\a%');
  });
});

describe('foldSearch', () => {
  it('makes one of the four i of Turkish, and keeps every other letter apart', () => {
    for (const text of ['IŞIK', 'ışık', 'İŞİK', 'işik', 'i\u0307şi\u0307k'])
      expect(foldSearch(text)).toBe('işik');
    expect(foldSearch('Jalapeño Ïdé')).toBe('jalapeño ïdé');
    expect(likePattern('İ%')).toBe('%i\\%%');
  });
});
