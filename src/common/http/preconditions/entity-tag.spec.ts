import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { entityTag, TagCondition } from './entity-tag.js';

const ID = '0192f1c4-8a4e-7c31-9d52-3f6f0c2b7a10';
const TAG = `"${ID}.3"`;
const OTHER = TAG.replace('.3', '.4');

describe('entityTag', () => {
  it('combines the id, or the name without one, with the version', () => {
    const user = { id: ID, name: 'Ada', version: 3 };
    expect(entityTag(user)).toBe(TAG);
    expect(entityTag({ name: 'support', version: 3 })).toBe('"support.3"');
  });
});

describe('TagCondition', () => {
  it.each([
    [TAG, true, true],
    ['*', true, true],
    [' * ', true, true],
    [`${OTHER}, ${TAG}`, true, true],
    [`${OTHER},${TAG}`, true, true],
    [`, ,${OTHER}\t,\t${TAG} ,`, true, true],
    [`"a,b", ${TAG}`, true, true],
    [`"\u00ff", ${TAG}`, true, true],
    [`W/${TAG}`, false, true],
    [`${OTHER}, W/${TAG}`, false, true],
    [OTHER, false, false],
    ['"3"', false, false],
    ['""', false, false],
    ['', false, false],
    [',', false, false],
    [TAG.toUpperCase(), false, false],
    [TAG.replace('.3', '.03'), false, false],
    [TAG.replace('.3', '.33'), false, false],
    [`"x,${TAG.slice(1)}`, false, false],
  ])('given %s, matches strongly: %s, weakly: %s', (header, strongly, weakly) => {
    const condition = TagCondition.parse(header);
    expect(condition?.malformed).toBe(false);
    expect(condition?.matchesStrongly(TAG)).toBe(strongly);
    expect(condition?.matchesWeakly(TAG)).toBe(weakly);
  });

  it.each([
    TAG.replaceAll('"', ''),
    TAG.replaceAll('"', "'"),
    TAG.slice(0, -1),
    `w/${TAG}`,
    `W/ ${TAG}`,
    `*, ${TAG}`,
    `${TAG}, *`,
    `${TAG} ${OTHER}`,
    `${OTHER}; ${TAG}`,
    `"x, ${TAG}`,
    `"x y", ${TAG}`,
    `"x\u007f", ${TAG}`,
    '**',
  ])('treats %s as malformed, which matches nothing', (header) => {
    const condition = TagCondition.parse(header);
    expect(condition?.malformed).toBe(true);
    expect(condition?.matchesStrongly(TAG)).toBe(false);
    expect(condition?.matchesWeakly(TAG)).toBe(false);
  });

  it('never matches a record that does not exist', () => {
    for (const header of ['*', TAG]) {
      expect(TagCondition.parse(header)?.matchesStrongly(null)).toBe(false);
      expect(TagCondition.parse(header)?.matchesWeakly(null)).toBe(false);
    }
  });

  it('is null without the header', () => {
    expect(TagCondition.parse(undefined)).toBeNull();
  });

  /** Text close to the grammar: characters that separate, open and close tags, and parts of valid ones. */
  const piece = fc.constantFrom(
    TAG,
    OTHER,
    ID,
    '"',
    'W/',
    'w/',
    ',',
    ' ',
    '\t',
    '*',
    '.3',
    ';',
    '\\',
    '\u00e9',
  );
  const header = fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join(''));

  it('matches only a complete tag between commas', () => {
    fc.assert(
      fc.property(header, (value) => {
        const condition = TagCondition.parse(value);
        const tokens = value.split(',').map((token) => token.trim());
        if (value.trim() === '*') return;
        if (condition?.matchesStrongly(TAG)) expect(tokens).toContain(TAG);
        if (condition?.matchesWeakly(TAG))
          expect(tokens.includes(TAG) || tokens.includes(`W/${TAG}`)).toBe(true);
        if (tokens.every((token) => token === '' || token === TAG || token === OTHER)) {
          expect(condition?.matchesStrongly(TAG)).toBe(tokens.includes(TAG));
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('runs in linear time', () => {
    const started = performance.now();
    for (const long of [`"${'a'.repeat(16_000)}`, `${'"",\t'.repeat(4000)}x`, `${' ,'.repeat(8000)}x`]) {
      expect(TagCondition.parse(long)?.malformed).toBe(true);
    }
    expect(performance.now() - started).toBeLessThan(500);
  });
});
