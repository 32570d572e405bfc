import { describe, expect, it } from '@jest/globals';
import type { Principal } from '../../common/authorization/principal.types.js';
import { readConfig } from '../../config/config.js';
import { limitOf, tierOf } from './tier.policy.js';

const TIERS = ['anonymous', 'authenticated', 'premium', 'sign_in'] as const;

const caller = (...roles: string[]): Principal => ({
  userId: 'somebody',
  sessionId: 'a session',
  roles,
  permissions: new Set(),
});

describe('tierOf', () => {
  it('returns the highest tier of the user’s roles', () => {
    expect(tierOf(null)).toBe('anonymous');
    for (const roles of [[], ['user'], ['auditor', 'user'], ['support']]) {
      expect(tierOf(caller(...roles))).toBe('authenticated');
    }
    for (const roles of [['premium'], ['user', 'premium'], ['admin'], ['support', 'admin', 'user']]) {
      expect(tierOf(caller(...roles))).toBe('premium');
    }
  });
});

describe('limitOf', () => {
  it('returns 30, 100, 1000 and 120 for sign-in by default', () => {
    const config = readConfig({});
    expect(TIERS.map((tier) => limitOf(tier, config))).toEqual([30, 100, 1000, 120]);
  });

  it('returns the configured limits, including 0', () => {
    const config = readConfig({
      RATE_LIMIT_ANONYMOUS: '0',
      RATE_LIMIT_AUTHENTICATED: '7',
      RATE_LIMIT_PREMIUM: '8',
      RATE_LIMIT_SIGN_IN: '9',
    });
    expect(TIERS.map((tier) => limitOf(tier, config))).toEqual([0, 7, 8, 9]);
  });
});
