import { describe, expect, it } from '@jest/globals';
import { canonicalCode, newCode } from './mailed-code.js';

describe('a mailed code', () => {
  it('has eleven groups of three characters that are hard to misread', () => {
    for (let i = 0; i < 100; i++)
      expect(newCode()).toMatch(/^(?:[0-9A-HJKMNP-TV-Z]{3}-){10}[0-9A-HJKMNP-TV-Z]{3}$/);
    expect(new Set(Array.from({ length: 1000 }, newCode)).size).toBe(1000);
  });

  it('uses every character equally often', () => {
    const counts = new Map<string, number>();
    for (let i = 0; i < 2000; i++)
      for (const character of newCode().replaceAll('-', ''))
        counts.set(character, (counts.get(character) ?? 0) + 1);
    expect(counts.size).toBe(32);
    // 66,000 characters, so 2062 of each are expected, with a standard deviation of 45.
    for (const count of counts.values()) expect(Math.abs(count - 2062)).toBeLessThan(350);
  });

  it.each([
    ['in lower case', (code: string) => code.toLowerCase()],
    ['without hyphens', (code: string) => code.replaceAll('-', '')],
    ['with spaces', (code: string) => ` ${code.replaceAll('-', ' ')} `],
    ['with letters that look like digits', (code: string) => code.replaceAll('0', 'O').replaceAll('1', 'l')],
    ['as mailed', (code: string) => code],
  ])('is understood %s', (_, type) => {
    for (let i = 0; i < 50; i++) {
      const code = newCode();
      expect(canonicalCode(type(code))).toBe(code);
    }
  });

  it.each(['pK1bqL0kXyq2bQ6i8fYv3aJm9tRwZcE4uHnD7sGx5Vo', '', 'x', 'ABC-DEF', `${newCode()}A`])(
    'leaves other text as it is: %s',
    (text) => {
      expect(canonicalCode(text)).toBe(text);
    },
  );
});
