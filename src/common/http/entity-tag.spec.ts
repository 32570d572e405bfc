import { describe, expect, it } from '@jest/globals';
import { assertMatch, entityTag, TagCondition } from './entity-tag.js';

describe('a condition on an entity tag', () => {
  it.each([
    ['"3"', true, true],
    ['*', true, true],
    ['"1", "3"', true, true],
    ['"1","3"', true, true],
    ['W/"3"', false, true],
    ['"1", W/"3"', false, true],
    ['"4"', false, false],
    ['3', false, false],
    ["'3'", false, false],
    ['"3', false, false],
    ['w/"3"', false, false],
    ['""', false, false],
    ['', false, false],
    [',', false, false],
    ['"33"', false, false],
    ['"03"', false, false],
  ])('%s: strongly %s, weakly %s', (header, strongly, weakly) => {
    const condition = TagCondition.parse(header);
    expect(condition?.matchesStrongly('"3"')).toBe(strongly);
    expect(condition?.matchesWeakly('"3"')).toBe(weakly);
  });

  it('is none where no header was sent', () => {
    expect(TagCondition.parse(undefined)).toBeNull();
    expect(() => assertMatch(null, 3)).not.toThrow();
  });

  it('that does not hold is refused with the current tag', () => {
    expect(() => assertMatch(TagCondition.parse('"2"'), 3)).toThrow(
      expect.objectContaining({ code: 'PRECONDITION_FAILED', headers: { ETag: entityTag(3) } }),
    );
    expect(() => assertMatch(TagCondition.parse('"3"'), 3)).not.toThrow();
  });
});
