import { it } from '@jest/globals';

/** Defines the tests where the machine has what they need; elsewhere says what is missing. */
export function wherePossible(missing: string | null, what: string, tests: () => void): void {
  if (missing === null) return tests();
  it(`is left out here: ${what}: ${missing}`, () => {
    process.stdout.write(`left out: ${what}: ${missing}\n`);
  });
}
