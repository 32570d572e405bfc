/** Settings that turn rate limits off, except in the tests about them. */
export const UNLIMITED = {
  RATE_LIMIT_ANONYMOUS: '0',
  RATE_LIMIT_AUTHENTICATED: '0',
  RATE_LIMIT_PREMIUM: '0',
  RATE_LIMIT_SIGN_IN: '0',
  RATE_LIMIT_INTROSPECT: '0',
} as const;
