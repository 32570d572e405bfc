import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { formatTraceparent, parseTraceparent } from './trace.js';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';

describe('parseTraceparent', () => {
  it.each([
    ['01', true],
    ['00', false],
    ['03', true],
    ['fe', false],
  ])('reads the flags %s', (flags, sampled) => {
    expect(parseTraceparent(`00-${TRACE}-${SPAN}-${flags}`)).toEqual({
      traceId: TRACE,
      spanId: SPAN,
      sampled,
    });
  });

  it('reads a later version, which may have more fields', () => {
    const known = { traceId: TRACE, spanId: SPAN, sampled: true };
    expect(parseTraceparent(`01-${TRACE}-${SPAN}-01`)).toEqual(known);
    expect(parseTraceparent(`cc-${TRACE}-${SPAN}-01-what-comes`)).toEqual(known);
  });

  it.each([
    '',
    `00-${TRACE}-${SPAN}`,
    `00-${TRACE}-${SPAN}-1`,
    `00-${TRACE}-${SPAN}-01-more`,
    `01-${TRACE}-${SPAN}-01more`,
    `ff-${TRACE}-${SPAN}-01`,
    `00-${'0'.repeat(32)}-${SPAN}-01`,
    `00-${TRACE}-${'0'.repeat(16)}-01`,
    `00-${TRACE.toUpperCase()}-${SPAN}-01`,
    `00-${TRACE}-${SPAN}-01, 00-${TRACE}-${SPAN}-01`,
    ` 00-${TRACE}-${SPAN}-01`,
  ])('rejects %j', (value) => {
    expect(parseTraceparent(value)).toBeNull();
  });

  it('reads what formatTraceparent writes', () => {
    const hex = (length: number) =>
      fc
        .array(fc.constantFrom(...'0123456789abcdef'.split('')), { minLength: length, maxLength: length })
        .map((digits) => digits.join(''))
        .filter((digits) => /[^0]/.test(digits));
    fc.assert(
      fc.property(hex(32), hex(16), fc.boolean(), (traceId, spanId, sampled) => {
        const trace = { traceId, spanId, sampled };
        expect(parseTraceparent(formatTraceparent(trace))).toEqual(trace);
      }),
    );
  });
});

describe('formatTraceparent', () => {
  it('makes up a span where none is recorded', () => {
    const trace = { traceId: TRACE, spanId: null, sampled: false };
    expect(formatTraceparent(trace)).toMatch(new RegExp(`^00-${TRACE}-[0-9a-f]{16}-00$`));
    expect(formatTraceparent(trace)).not.toBe(formatTraceparent(trace));
  });
});
