import { describe, expect, it, jest } from '@jest/globals';
import { newId } from './ids.js';

const VERSION_7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
/** More than one draw of random bytes serves. */
const IDS = 10_000;

describe('newId', () => {
  it('returns UUIDv7 that are in order and differ in their random part too', () => {
    const ids = Array.from({ length: IDS }, newId);
    expect(ids.filter((id) => !VERSION_7.test(id))).toEqual([]);
    expect(ids).toEqual(ids.toSorted());
    expect(new Set(ids.map((id) => id.slice(-12))).size).toBe(IDS);
  });

  it('stays in order when the clock is set back', () => {
    const before = newId();
    const now = Date.now();
    const clock = jest.spyOn(Date, 'now').mockReturnValue(now - 60_000);
    try {
      expect(newId() > before).toBe(true);
    } finally {
      clock.mockRestore();
    }
  });
});
