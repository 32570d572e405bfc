import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { prefixFormula, removeFormulaPrefix } from './csv-formula.js';

const text = fc.oneof(
  fc.string({ unit: fc.constantFrom(`'`, '=', '+', '-', '@', '\t', '\r', 'a', ' '), maxLength: 6 }),
  fc.string({ unit: 'binary' }),
);

describe('the prefix of formulas', () => {
  it('is removed exactly once, so that every text comes back as it was', () => {
    fc.assert(fc.property(text, (value) => expect(removeFormulaPrefix(prefixFormula(value))).toBe(value)));
  });

  it('leaves no text that a spreadsheet would run', () => {
    fc.assert(fc.property(text, (value) => expect(prefixFormula(value)).not.toMatch(/^[=+\-@\t\r]/)));
  });

  it.each([
    ['+plus@example.com', `'+plus@example.com`],
    [`'+plus@example.com`, `''+plus@example.com`],
    [`''=1`, `'''=1`],
    [`'quoted'`, `'quoted'`],
    [`O'Hara`, `O'Hara`],
  ])('turns %s into %s', (value, cell) => {
    expect(prefixFormula(value)).toBe(cell);
  });
});
