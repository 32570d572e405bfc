import { describe } from '@jest/globals';

/**
 * Defines the tests where the machine has what they need. Elsewhere it prints what is missing and skips them.
 */
export function wherePossible(missing: string | null, what: string, tests: () => void): void {
  if (missing === null) return tests();
  process.stderr.write(`skipped: ${what}: ${missing}\n`);
  describe.skip(what, tests);
}
