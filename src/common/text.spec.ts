import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import {
  codePointLength,
  foldCase,
  foldSearch,
  hasControlCharacters,
  likePattern,
  shownName,
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
  it('trims white space around the text only', () => {
    expect(trimText(' \u3000Ada  King\xa0')).toBe('Ada  King');
  });

  it('keeps control characters, so that the check sees them', () => {
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

  it('folds case and composition', () => {
    expect(foldCase('CAFE\u0301')).toBe(foldCase('café'));
    expect(foldCase('ΝΙΚΟΣ')).toBe(foldCase('νικοσ'));
  });

  it('matches the start of a word that continues after a sigma', () => {
    expect(foldCase('Πάσχα')).toContain(foldCase('ΠΆΣ'));
  });

  it('keeps accents and ß distinct', () => {
    expect(foldCase('Strauß')).not.toBe(foldCase('Strauss'));
    expect(foldCase('resume')).not.toBe(foldCase('résumé'));
  });
});

describe('likePattern', () => {
  it('escapes %, _ and \\', () => {
    expect(likePattern('50%_\\a')).toBe('%50\\%\\_\\\\a%');
  });
});

describe('foldSearch', () => {
  it('merges the four Turkish letters i and keeps all others distinct', () => {
    for (const text of ['IŞIK', 'ışık', 'İŞİK', 'işik', 'i\u0307şi\u0307k'])
      expect(foldSearch(text)).toBe('işik');
    expect(foldSearch('Jalapeño Ïdé')).toBe('jalapeño ïdé');
  });

  it('replaces full-width letters, ligatures and other compatibility characters with plain letters', () => {
    for (const [text, plain] of [
      ['ＡＤＡ', 'ada'],
      ['Eﬃe', 'effie'],
      ['ℌ𝔢𝔩𝔤𝔞', 'helga'],
      ['ᴬ\u0301rna', 'árna'],
      ['ｶﾞ', 'ガ'],
      ['ᴵ\u0307', 'i'],
      ['ı\u0301', 'í'],
      ['i\u0307\u0307', 'i'],
      ['Ϲ', 'σ'],
      ['Å', 'å'],
      ['½', '1\u20442'],
    ] as const) {
      expect([text, foldSearch(text)]).toEqual([text, plain]);
    }
    expect(foldSearch('Straße')).toBe('straße');
  });

  // Marks and letters that often meet, so that they compose, decompose and change their order.
  const letter = fc.constantFrom(...Array.from('iIıİʼnﬁﬃＩｉℌℑᴬᴵⅧΣςσϹϲǅẞßÅå\u2126\u212aｶガﾞ字㍻½'));
  const mark = fc.constantFrom('\u0307', '\u0323', '\u0301', '\u0331', '\u0345', '\u3099');
  const text = fc.oneof(fc.string({ unit: fc.oneof(letter, mark), maxLength: 12 }), anyText);

  it('is idempotent, and equal for every case, composition and compatibility form of a text', () => {
    fc.assert(
      fc.property(text, (given) => {
        const folded = foldSearch(given);
        expect(foldSearch(folded)).toBe(folded);
        expect(foldCase(folded)).toBe(folded);
        for (const form of ['NFC', 'NFD', 'NFKC', 'NFKD'] as const) {
          expect(foldSearch(given.normalize(form))).toBe(folded);
        }
        expect(foldSearch(given.toLowerCase())).toBe(folded);
        expect(foldSearch(foldCase(given))).toBe(folded);
      }),
      { numRuns: 3000 },
    );
  });

  it('leaves no character with another compatibility form or a lower case', () => {
    fc.assert(
      fc.property(text, (given) => {
        const folded = foldSearch(given);
        expect(folded.normalize('NFKC')).toBe(folded);
        expect(folded.toLowerCase().replaceAll('ς', 'σ')).toBe(folded);
        expect(folded).not.toMatch(/ı|i\u0307/);
      }),
      { numRuns: 3000 },
    );
  });
});

describe('shownName', () => {
  it('keeps names of up to 64 characters, and shortens longer ones to well-formed text', () => {
    expect(shownName('a'.repeat(64))).toBe('a'.repeat(64));
    expect(shownName('a'.repeat(65))).toBe(`${'a'.repeat(63)}…`);
    const split = shownName(`${'a'.repeat(62)}😀😀`);
    expect([split.length, split.isWellFormed()]).toEqual([64, true]);
  });
});
