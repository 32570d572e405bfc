/** The causes of a refused sign-in. The service did not check the password of a `throttled` attempt. */
export const signInRefusals = ['wrong_password', 'unknown_user', 'disabled', 'throttled'] as const;

export type SignInRefusal = (typeof signInRefusals)[number];
