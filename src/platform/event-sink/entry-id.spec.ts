import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { type EventPosition, formatPosition, START_POSITION } from '../../common/event-position.js';
import { entryIdOf, NO_ENTRY, positionOfEntry } from './entry-id.js';

const position: fc.Arbitrary<EventPosition> = fc.record({
  epoch: fc.integer({ min: 1, max: 9999 }),
  xid: fc.bigInt({ min: 3n, max: 2n ** 50n - 1n }).map(String),
  seq: fc.bigInt({ min: 1n, max: 2n ** 63n - 1n }).map(String),
});
const numbersOf = (id: string) => id.split('-').map(BigInt) as [bigint, bigint];

describe('the id of a Redis entry', () => {
  it('gives the position back', () => {
    fc.assert(fc.property(position, (one) => expect(positionOfEntry(entryIdOf(one))).toEqual(one)));
  });

  it('is in the order of positions', () => {
    fc.assert(
      fc.property(position, position, fc.boolean(), fc.boolean(), (one, other, sameEpoch, sameXid) => {
        const near = { ...other, ...(sameEpoch && { epoch: one.epoch }), ...(sameXid && { xid: one.xid }) };
        const [[first, second], [nearFirst, nearSecond]] = [one, near].map((each) =>
          numbersOf(entryIdOf(each)),
        ) as [[bigint, bigint], [bigint, bigint]];
        const isBefore = first < nearFirst || (first === nearFirst && second < nearSecond);
        expect(isBefore).toBe(formatPosition(one) < formatPosition(near));
      }),
    );
  });

  it('consists of numbers that Redis takes', () => {
    const last = entryIdOf({ epoch: 9999, xid: String(2n ** 50n - 1n), seq: String(2n ** 63n - 1n) });
    for (const number of numbersOf(last)) expect(number).toBeLessThan(2n ** 64n);
    expect(() => entryIdOf({ epoch: 1, xid: String(2n ** 50n), seq: '1' })).toThrow('does not fit');
  });

  it.each([NO_ENTRY, '1700000000000-5', ''])('of another writer stands before all events: %s', (id) => {
    expect(positionOfEntry(id)).toEqual(START_POSITION);
  });
});
