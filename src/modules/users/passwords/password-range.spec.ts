import { describe, expect, it } from '@jest/globals';
import { findInRange } from './password-range.js';

const REST = '0018A45C4D1DEF81644B54AB7F969B88D65';
const OTHER = 'A'.repeat(35);

describe('findInRange', () => {
  it.each([`${REST}:1`, `${OTHER}:7\r\n${REST}:21`, `${REST.toLowerCase()}:3\n${OTHER}:1\n`])(
    'finds the hash in %j',
    (range) => expect(findInRange(range, REST)).toBe(true),
  );

  it.each([`${OTHER}:7\r\n`, `${REST}:0\r\n${OTHER}:2`, `${REST}:00`])('finds nothing in %j', (range) =>
    expect(findInRange(range, REST)).toBe(false),
  );

  it.each(['', '\r\n', '<html>', `${OTHER}:7\r\n{"error":1}`, REST, `${REST}1:1`])('refuses %j', (range) =>
    expect(() => findInRange(range, REST)).toThrow(/range of hashes/),
  );
});
