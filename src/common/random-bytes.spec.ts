import { describe, expect, it } from '@jest/globals';
import { nextRandomBytes } from './random-bytes.js';

describe('nextRandomBytes', () => {
  it('returns every byte to one caller only', () => {
    const nonces = Array.from({ length: 10_000 }, () => nextRandomBytes(12));
    expect(new Set(nonces.map((nonce) => nonce.toString('hex'))).size).toBe(nonces.length);
    expect(nonces.every(({ length }) => length === 12)).toBe(true);
    const overlapping = nonces.filter((nonce, index) => {
      const before = nonces[index - 1];
      return before?.buffer === nonce.buffer && nonce.byteOffset < before.byteOffset + before.length;
    });
    expect(overlapping).toEqual([]);
  });

  it('returns as many bytes as asked for, even more than one draw has', () => {
    expect(nextRandomBytes(10_000)).toHaveLength(10_000);
  });
});
