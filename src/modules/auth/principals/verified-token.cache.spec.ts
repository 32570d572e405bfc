import { describe, expect, it } from '@jest/globals';
import { VerifiedTokenCache } from './verified-token.cache.js';

const bearer = { userId: 'a user', sessionId: 'a session' };
const inSeconds = (seconds: number): number => Date.now() / 1000 + seconds;

describe('VerifiedTokens', () => {
  it('finds a token only by its full text', () => {
    const tokens = new VerifiedTokenCache();
    tokens.remember('head.claims.signature', bearer, inSeconds(60));
    expect(tokens.find('head.claims.signature')).toMatchObject(bearer);
    for (const other of [
      'head.claims.signaturf',
      'head.claims.',
      'head.claims',
      'head.claims.signature ',
      '',
    ]) {
      expect([other, tokens.find(other)]).toEqual([other, null]);
    }
  });

  it('forgets a token at its expiry, to the millisecond', () => {
    const tokens = new VerifiedTokenCache();
    const exp = inSeconds(0.02);
    tokens.remember('token', bearer, exp);
    expect(tokens.find('token')).not.toBeNull();
    while (Date.now() < exp * 1000);
    expect(tokens.find('token')).toBeNull();
  });

  it('evicts the least recently used token when full', () => {
    const tokens = new VerifiedTokenCache();
    for (let i = 0; i <= 50_000; i++) {
      tokens.remember(`token ${i}`, bearer, inSeconds(60));
      tokens.find('token 0');
    }
    expect(tokens.find('token 1')).toBeNull();
    expect(tokens.find('token 0')).not.toBeNull();
    expect(tokens.find('token 50000')).not.toBeNull();
  });
});
