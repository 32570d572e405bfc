import type { DeclaredFlag } from '../../platform/feature-flags/declared-flag.js';

export const signUpFlag: DeclaredFlag = {
  key: 'signup',
  description: 'Sign-ups. While it is off, only callers with users:write create users',
  default: true,
  refusal: 'Sign-up is switched off',
};

export const breachedPasswordsFlag: DeclaredFlag = {
  key: 'breached_passwords',
  description:
    'The check of new passwords against known breaches, which needs PWNED_PASSWORDS_URL. While it is off, no password is looked up',
  default: true,
  refusal: 'The check for breached passwords is switched off',
};
