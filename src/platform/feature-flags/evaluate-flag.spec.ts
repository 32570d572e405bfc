import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { newId } from '../../common/ids.js';
import { evaluateFlag, type FlagRule } from './evaluate-flag.js';

const rule = (given: Partial<FlagRule> = {}): FlagRule => ({
  key: 'signup',
  enabled: true,
  rolloutPercent: 100,
  allowedUsers: new Set(),
  ...given,
});
const key = fc.stringMatching(/^[a-z][a-z0-9_-]{0,49}$/);
const percent = fc.integer({ min: 0, max: 100 });
const isOn = (given: Partial<FlagRule>, userId: string): boolean => evaluateFlag(rule(given), userId).value;

describe('a flag', () => {
  it('that is not enabled is off for everyone, also for listed users', () => {
    fc.assert(
      fc.property(fc.uuid(), percent, (user, rolloutPercent) => {
        const given = { enabled: false, rolloutPercent, allowedUsers: new Set([user]) };
        expect(evaluateFlag(rule(given), user)).toEqual({ value: false, reason: 'DISABLED' });
        expect(evaluateFlag(rule(given), null)).toEqual({ value: false, reason: 'DISABLED' });
      }),
    );
  });

  it('is on for the listed users, whatever the percentage is', () => {
    fc.assert(
      fc.property(fc.uuid(), percent, (user, rolloutPercent) => {
        const given = { rolloutPercent, allowedUsers: new Set([user]) };
        expect(evaluateFlag(rule(given), user)).toEqual({ value: true, reason: 'TARGETING_MATCH' });
      }),
    );
  });

  it('is on for everyone at 100 per cent and for nobody else at 0', () => {
    fc.assert(
      fc.property(key, fc.option(fc.uuid()), (name, user) => {
        const on = evaluateFlag(rule({ key: name }), user);
        expect(on).toEqual({ value: true, reason: 'STATIC' });
        const off = evaluateFlag(rule({ key: name, rolloutPercent: 0 }), user);
        expect(off).toEqual({ value: false, reason: 'STATIC' });
      }),
    );
  });

  it('is off for a caller without an account unless it is rolled out to all', () => {
    for (let rolloutPercent = 1; rolloutPercent < 100; rolloutPercent++) {
      expect(evaluateFlag(rule({ rolloutPercent }), null)).toEqual({ value: false, reason: 'SPLIT' });
    }
  });

  it('that is on for a user stays on when the percentage grows', () => {
    fc.assert(
      fc.property(key, fc.uuid(), percent, percent, (name, user, one, other) => {
        const [less, more] = one < other ? [one, other] : [other, one];
        if (!isOn({ key: name, rolloutPercent: less }, user)) return;
        expect(isOn({ key: name, rolloutPercent: more }, user)).toBe(true);
      }),
    );
  });

  it('is on for about as many users as the percentage says, for new ids as well', () => {
    const users = Array.from({ length: 20_000 }, newId);
    for (const rolloutPercent of [1, 10, 50, 90, 99]) {
      const share = users.filter((user) => isOn({ rolloutPercent }, user)).length / users.length;
      // Six standard deviations of the share.
      const tolerance = 6 * Math.sqrt(((rolloutPercent / 100) * (1 - rolloutPercent / 100)) / users.length);
      expect(Math.abs(share - rolloutPercent / 100)).toBeLessThan(tolerance);
    }
  });

  it('orders the users in another way than the others', () => {
    const users = Array.from({ length: 2000 }, newId);
    const chosen = (name: string) => users.filter((user) => isOn({ key: name, rolloutPercent: 50 }, user));
    const both = chosen('export').filter((user) => isOn({ key: 'import', rolloutPercent: 50 }, user));
    expect(both.length / users.length).toBeGreaterThan(0.15);
    expect(both.length / users.length).toBeLessThan(0.35);
  });

  it('keeps the sides that users had in earlier releases', () => {
    const user = (last: number) => `0192f1c4-8a4e-7c31-9d52-3f6f0c2b7a1${last}`;
    const sides = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map((last) =>
      isOn({ key: 'export', rolloutPercent: 50 }, user(last)),
    );
    expect(sides.map(Number).join('')).toBe('0110001100');
  });
});
