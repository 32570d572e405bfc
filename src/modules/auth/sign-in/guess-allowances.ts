/** The number of failures after which each further failure delays the next attempt. */
export interface Allowance {
  readonly scope: 'all' | 'network' | 'user';
  readonly failures: number;
  readonly forgetAfterSeconds: number;
  /**
   * The failure that starts `forgetAfterSeconds`. Counters shared by many people use the first one, because
   * they never go quiet.
   */
  readonly forgetFrom: 'first' | 'last';
}

/**
 * The allowances of an attempt, in the order in which every statement locks their rows. A user gets ten
 * failures (NIST SP 800-63B-4, 3.2.2, allows a hundred). Counters that many people share get more.
 */
export const ALLOWANCES: readonly Allowance[] = [
  { scope: 'all', failures: 10_000, forgetAfterSeconds: 60, forgetFrom: 'first' },
  { scope: 'network', failures: 100, forgetAfterSeconds: 3600, forgetFrom: 'first' },
  { scope: 'user', failures: 10, forgetAfterSeconds: 3600, forgetFrom: 'last' },
];
