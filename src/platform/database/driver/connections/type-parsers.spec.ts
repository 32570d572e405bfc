import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import pg from 'pg';
import { parseTexts, parseTime, TEXT_ARRAY } from './type-parsers.js';

const { TIMESTAMPTZ } = pg.types.builtins;
const byPg = {
  time: pg.types.getTypeParser(TIMESTAMPTZ) as (text: string) => unknown,
  texts: pg.types.getTypeParser(TEXT_ARRAY) as (text: string) => unknown,
};

/** Prints a time as PostgreSQL does: microseconds without zeros at the end, and the offset of the session. */
function printed(at: Date, microseconds: number, offset: string): string {
  const fraction = `${String(at.getUTCMilliseconds()).padStart(3, '0')}${String(microseconds).padStart(3, '0')}`;
  const digits = fraction.replace(/0+$/, '');
  return `${at.toISOString().slice(0, 19).replace('T', ' ')}${digits && `.${digits}`}${offset}`;
}

/** Prints an array as PostgreSQL does: quotes what is empty, has a special character, or reads NULL. */
function printedArray(texts: readonly (string | null)[]): string {
  const elements = texts.map((text) => {
    if (text === null) return 'NULL';
    return text === '' || /[\s{}",\\]/.test(text) || /^null$/i.test(text)
      ? `"${text.replaceAll(/["\\]/g, '\\$&')}"`
      : text;
  });
  return `{${elements.join(',')}}`;
}

describe('the parsers of a client', () => {
  it('read every time as pg does', () => {
    const times = fc.date({
      min: new Date('1000-01-01T00:00:00Z'),
      max: new Date('9999-12-31T23:59:59.999Z'),
      noInvalidDate: true,
    });
    const offsets = fc.constantFrom('+00', '+00', '+02', '-08', '+05:30');
    fc.assert(
      fc.property(times, fc.integer({ min: 0, max: 999 }), offsets, (at, microseconds, offset) => {
        const text = printed(at, microseconds, offset);
        expect(parseTime(text)).toEqual(byPg.time(text));
      }),
    );
  });

  it.each([
    'infinity',
    '-infinity',
    '0044-03-15 12:00:00+00 BC',
    '10000-01-01 00:00:00+00',
    '0001-01-01 00:00:00+00',
  ])('read the time %s as pg does', (text) => {
    expect(parseTime(text)).toEqual(byPg.time(text));
  });

  it('read a time with all its milliseconds', () => {
    expect(parseTime('2026-11-27 22:43:53.123999+00')).toEqual(new Date('2026-11-27T22:43:53.123Z'));
  });

  it('read every array of texts as pg does', () => {
    const word = fc.oneof(
      fc.constantFrom('admin', 'user', '', 'NULL', 'null', 'a,b', '{', '"', '\\', ' '),
      fc.string(),
    );
    fc.assert(
      fc.property(fc.array(fc.option(word), { maxLength: 5 }), (texts) => {
        const text = printedArray(texts);
        expect(parseTexts(text)).toEqual(byPg.texts(text));
        expect(parseTexts(text)).toEqual(texts);
      }),
    );
  });

  it.each(['{{a,b},{c,d}}', '[0:1]={a,b}', '{}'])('read the array %s as pg does', (text) => {
    expect(parseTexts(text)).toEqual(byPg.texts(text));
  });
});
