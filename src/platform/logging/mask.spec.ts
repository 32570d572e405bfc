import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { maskSecrets } from './mask.js';

const SECRETS = [
  'authorization',
  'password',
  'new_password',
  'current_password',
  'token',
  'refresh_token',
  'access_token',
];

describe('maskSecrets', () => {
  it.each(SECRETS)('masks %s on the line and two levels below it', (key) => {
    const secret = { [key]: 'violet kettle' };
    const line = { ...secret, a: secret, b: { c: secret }, list: [secret] };
    const masked = { [key]: '[Redacted]' };
    expect(maskSecrets(line)).toEqual({ ...masked, a: masked, b: { c: masked }, list: [masked] });
  });

  it('masks a secret of any kind', () => {
    for (const value of [null, undefined, 7, ['x'], { a: 1 }]) {
      expect(maskSecrets({ token: value })).toEqual({ token: '[Redacted]' });
    }
  });

  it('changes neither the given object nor anything else', () => {
    const error = new Error('failed');
    const line = { user: { id: 1, password: 'x' }, at: new Date(0), error };
    const masked = maskSecrets(line);
    expect(line.user.password).toBe('x');
    expect(masked).toEqual({ user: { id: 1, password: '[Redacted]' }, at: line.at, error });
    expect(masked['at']).toBe(line.at);
    expect(masked['error']).toBe(error);
  });

  it('returns a line without secrets as it is', () => {
    const harmless = fc.dictionary(
      fc.string().filter((key) => !SECRETS.includes(key)),
      fc.jsonValue(),
    );
    fc.assert(
      fc.property(harmless, (line) => {
        const text = JSON.stringify(line);
        if (SECRETS.some((key) => text.includes(`"${key}"`))) return;
        expect(maskSecrets(line)).toBe(line);
      }),
    );
  });
});
