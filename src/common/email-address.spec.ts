import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { canonicalEmail, findCanonicalEmail } from './email-address.js';

const localOf = (length: number): string => 'l'.repeat(length);
const labels = (count: number): string => `${'e\u0301'.repeat(20)}.`.repeat(count);
const addressOf = (length: number): string =>
  `${localOf(64)}@${'d'.repeat(63)}.${'d'.repeat(63)}.${'d'.repeat(length - 64 - 1 - 128 - 4)}.com`;

describe('canonicalEmail', () => {
  it.each([
    ['  Ada.Lovelace@Example.COM ', 'ada.lovelace@example.com'],
    ["o'brien+news@mail.example.co.uk", "o'brien+news@mail.example.co.uk"],
    ['a@xn--bcher-kva.example', 'a@xn--bcher-kva.example'],
    ['a@BÜCHER.example', 'a@xn--bcher-kva.example'],
    ['a@例え。テスト', 'a@xn--r8jz45g.xn--zckzah'],
    ['ｕｓｅｒ@example.com', 'user@example.com'],
    ['JOSE\u0301@example.com', 'josé@example.com'],
    ['H\u0331@example.com', 'ẖ@example.com'],
    ['𠮷@example.com', '𠮷@example.com'],
    ['admin@gatehouse.local', 'admin@gatehouse.local'],
  ])('converts %j to %j', (given, canonical) => {
    expect(canonicalEmail(given)).toBe(canonical);
  });

  it('is idempotent and accepts its own result', () => {
    const almostAddress = fc
      .tuple(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 8 }), fc.domain())
      .map((parts) => parts.join('@'));
    const letters = fc
      .tuple(fc.stringMatching(/^[\p{L}\p{M}\p{Nd}.]{1,8}$/u), fc.stringMatching(/^\p{L}[\p{L}\p{M}]{1,8}$/u))
      .map(([local, domain]) => `${local}@${domain}.example`);
    fc.assert(
      fc.property(fc.oneof(almostAddress, letters, fc.emailAddress()), (given) => {
        const canonical = findCanonicalEmail(given);
        fc.pre(canonical !== null);
        expect(findCanonicalEmail(canonical)).toBe(canonical);
      }),
      { numRuns: 1000 },
    );
  });

  it('never returns a control character, white space or a second @', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 20 }), (local) => {
        expect(findCanonicalEmail(`${local}@example.com`) ?? 'a@example.com').toMatch(
          /^[^\s\p{Cc}@]+@[a-z\d.-]+$/u,
        );
      }),
      { numRuns: 2000 },
    );
  });
});

describe('findCanonicalEmail', () => {
  it.each([
    ['nothing', ''],
    ['no @', 'example.com'],
    ['two @', 'a@b@example.com'],
    ['no local part', '@example.com'],
    ['no domain', 'a@'],
    ['a bare host', 'a@localhost'],
    ['an address of a machine', 'a@127.0.0.1'],
    ['an address of a machine that ends in two digits', 'a@192.0.2.10'],
    ['an end of digits', 'a@example.123'],
    ['a machine in brackets', 'a@[127.0.0.1]'],
    ['a number that is a machine', 'a@0x7f.1'],
    ['an end of one letter', 'a@example.c'],
    ['a dot at the end', 'a@example.com.'],
    ['two dots', 'a..b@example.com'],
    ['a dot first', '.a@example.com'],
    ['a hyphen at the edge of a label', 'a@-example.com'],
    ['an underscore in the domain', 'a@ex_ample.com'],
    ['a path', 'a@example.com/b'],
    ['an escape in the domain', 'a@ex%41mple.com'],
    ['a port', 'a@example.com:25'],
    ['a blank inside', 'a b@example.com'],
    ['a display name', 'Ada <a@example.com>'],
    ['a quoted local part', '"a b"@example.com'],
    ['a list', 'a@example.com,b@example.com'],
    ['a header', 'a@example.com\r\nBcc: b@example.com'],
    ['a line break at the end', 'a@example.com\n'],
    ['U+0000', 'a\0@example.com'],
    ['a lone surrogate', 'a\ud800@example.com'],
    ['an invisible character', 'a\u200bb@example.com'],
    ['an invisible letter', 'a\u3164b@example.com'],
    ['an invisible mark in the domain', 'a@exam\ufe0fple.com'],
    ['a change of direction', 'a\u202eb@example.com'],
    ['a fullwidth @', 'a＠example.com'],
    ['a fullwidth @ besides', 'a＠b@example.com'],
    ['a letter that expands to blanks', '\ufdfa@example.com'],
    ['a mark that expands to a blank', 'a\u037a@example.com'],
    ['a sign that composes to another', 'a=\u0338b@example.com'],
  ])('rejects %s', (_what, given) => {
    expect(findCanonicalEmail(given)).toBeNull();
    expect(() => canonicalEmail(given)).toThrow(new RangeError('The email address has no canonical form'));
  });

  it('accepts a local part of up to 64 octets', () => {
    expect(findCanonicalEmail(`${localOf(64)}@example.com`)).not.toBeNull();
    expect(findCanonicalEmail(`${localOf(65)}@example.com`)).toBeNull();
    expect(findCanonicalEmail(`${'é'.repeat(33)}@example.com`)).toBeNull();
  });

  it('accepts up to 254 characters', () => {
    expect(addressOf(254)).toHaveLength(254);
    expect(findCanonicalEmail(addressOf(254))).toBe(addressOf(254));
    expect(findCanonicalEmail(` ${addressOf(254)} `)).toBe(addressOf(254));
    expect(findCanonicalEmail(addressOf(255))).toBeNull();
  });

  it('rejects an address that is too long in canonical form', () => {
    const domain = `${'ü'.repeat(15)}.${'d'.repeat(63)}.${'d'.repeat(63)}.${'d'.repeat(40)}.com`;
    expect(findCanonicalEmail(`a@${domain}`)).not.toBeNull();
    expect(`${localOf(64)}@${domain}`.length).toBeLessThan(254);
    expect(findCanonicalEmail(`${localOf(64)}@${domain}`)).toBeNull();
  });

  it('rejects an address that is too long as given', () => {
    expect(findCanonicalEmail(`${localOf(64)}@${labels(4)}com`)).not.toBeNull();
    expect(findCanonicalEmail(`${localOf(64)}@${labels(5).normalize('NFC')}com`)).not.toBeNull();
    expect(findCanonicalEmail(`${localOf(64)}@${labels(5)}com`)).toBeNull();
  });

  it.each(['a', ' ', '.', '@', 'a.', 'a@', '-', '\u0301', '\ufdfa', '😀', 'a@a.'])(
    'is fast on 50 kB of %j',
    (unit) => {
      const worst = unit.repeat(50_000 / unit.length);
      const started = performance.now();
      for (const given of [
        worst,
        `${worst}@example.com`,
        `a@${worst}.com`,
        `a@${worst}!`,
        `a${worst}a@b.com`,
      ]) {
        expect(findCanonicalEmail(given)).toBeNull();
      }
      expect(performance.now() - started).toBeLessThan(5000);
    },
  );
});
