/** The number of failures after which each further one delays the next attempt. */
export interface Allowance {
  readonly scope: 'all' | 'network' | 'user';
  readonly failures: number;
  readonly forgetAfterSeconds: number;
  /**
   * The failure from which `forgetAfterSeconds` runs. A counter that many people share never goes quiet,
   * so it forgets from its first failure on.
   */
  readonly forgetFrom: 'first' | 'last';
}

/**
 * The allowances of an attempt, in the order in which every statement locks their rows. Ten failures for a
 * user (NIST SP 800-63B-4, 3.2.2, allows a hundred), more for what many people share.
 */
export const ALLOWANCES: readonly Allowance[] = [
  { scope: 'all', failures: 10_000, forgetAfterSeconds: 60, forgetFrom: 'first' },
  { scope: 'network', failures: 100, forgetAfterSeconds: 3600, forgetFrom: 'first' },
  { scope: 'user', failures: 10, forgetAfterSeconds: 3600, forgetFrom: 'last' },
];
