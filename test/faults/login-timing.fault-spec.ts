import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ANYWHERE, elsewhere, login } from '../support/guesses.js';
import { closeConnections } from '../support/send.js';
import { TestApp } from '../support/test-app.js';

const PAIRS = 300;
/** Few enough guesses at each that none is slowed down. */
const PER_ACCOUNT = 5;

/** How likely it is that one of `a` is greater than one of `b` (the area under the ROC curve). */
function chanceOfGreater(a: readonly number[], b: readonly number[]): number {
  const wins = a.flatMap((x) => b.map((y): number => (x > y ? 1 : x === y ? 0.5 : 0)));
  return wins.reduce((sum, win) => sum + win, 0) / wins.length;
}

describe('the time that a refused sign-in takes', () => {
  let app: TestApp;
  const emails: string[] = [];
  beforeAll(async () => {
    app = await TestApp.create({ config: ANYWHERE });
    for (let i = 0; i < PAIRS / PER_ACCOUNT; i++) emails.push((await app.account()).email);
  }, 120_000);
  afterAll(() => {
    closeConnections();
    return app.close();
  });

  it('does not tell a wrong password from an unknown address', async () => {
    const times = { wrong: [] as number[], unknown: [] as number[] };
    const measure = async (way: keyof typeof times, email: string, pair: number) => {
      const started = performance.now();
      const { status } = await login(app, { email, ip: elsewhere() });
      if (status !== 401) throw new Error(`was answered ${status}`);
      if (pair >= 0) times[way].push(performance.now() - started);
    };
    for (let pair = -5; pair < PAIRS; pair++) {
      const known = emails.at(pair % emails.length) ?? '';
      const unknown = `nobody-${pair % emails.length}@example.com`;
      // Interleaved, and each of them first as often: whatever else the machine does meets both.
      const pairOf = [() => measure('wrong', known, pair), () => measure('unknown', unknown, pair)];
      for (const guess of pair % 2 === 0 ? pairOf : pairOf.toReversed()) await guess();
    }
    const chance = chanceOfGreater(times.wrong, times.unknown);
    const median = (values: number[]) => values.toSorted((a, b) => a - b)[values.length / 2]?.toFixed(2);
    process.stdout.write(
      `${PAIRS} pairs: a wrong password is slower with probability ${chance.toFixed(3)}; ` +
        `medians ${median(times.wrong)} ms and ${median(times.unknown)} ms\n`,
    );
    expect(chance).toBeGreaterThan(0.4);
    expect(chance).toBeLessThan(0.6);
  }, 600_000);
});
