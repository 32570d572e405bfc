import { expect, it } from '@jest/globals';
import fc from 'fast-check';
import { packLines, unpackLines } from './staged-lines.js';

const lines = fc.array(
  fc.record({
    number: fc.nat(),
    bytes: fc.uint8Array({ maxLength: 50 }).map((bytes) => Buffer.from(bytes)),
    fault: fc.option(fc.string()),
  }),
);

it('keeps lines with their numbers, faults and exact bytes', () => {
  fc.assert(fc.property(lines, (given) => expect(unpackLines(packLines(given))).toEqual(given)));
});
