import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { LEASE_MS, Pair } from '../support/app/pair.js';
import { type Outcome, prepareRoles, revocations, tryOut } from '../support/faults/revocations.js';
import { closeConnections } from '../support/http/send.js';
import { TestDatabase } from '../support/database/test-database.js';

const TRIES = 1000;
/** The number of concurrent tries, so that notifications and cache fills of many users mix. */
const LANES = 4;
const LIMIT_MS = 20 * 60_000;

const ways = [revocations.logout, revocations.disabling, revocations['a role that is taken']];

describe(`revocation, ${TRIES} times`, () => {
  let database: TestDatabase;
  let pair: Pair;
  beforeAll(async () => {
    database = await TestDatabase.create();
    pair = await Pair.start(database);
    await prepareRoles(pair);
  });
  afterAll(async () => {
    closeConnections();
    await pair.stop();
    await database.drop();
  });

  it(
    'admits no request after the 2xx here, and none after the lease there',
    async () => {
      const outcomes: Outcome[] = [];
      let next = 0;
      const lane = async (): Promise<void> => {
        for (let i = next++; i < TRIES; i = next++) {
          const way = ways[i % ways.length] ?? revocations.logout;
          outcomes.push(await tryOut(pair, await pair.createUser(`try-${i}@example.com`, way.roles), way));
        }
      };
      await Promise.all(Array.from({ length: LANES }, lane));
      const late = outcomes.filter(({ admitted }) => admitted.there > 0);
      const sum = (where: 'here' | 'there') =>
        outcomes.reduce((total, { admitted }) => total + admitted[where], 0);
      process.stdout.write(
        [
          `${outcomes.length} tries; requests let in that were sent after the 2xx:`,
          `here ${sum('here')}, there ${sum('there')} (in ${late.length} tries)`,
          `there, last let in, sent after the 2xx: ${spread(outcomes.map((each) => each.lastAdmittedMs))}`,
          `there, all refused, answered after the 2xx: ${spread(outcomes.map((each) => each.refusedAfterMs))}\n`,
        ].join('\n'),
      );
      expect(outcomes).toHaveLength(TRIES);
      expect(sum('here')).toBe(0);
      // Holds whatever the network and the machine do: without a heartbeat sent after the change, the lease
      // has expired.
      expect(Math.max(...outcomes.map((each) => each.lastAdmittedMs))).toBeLessThanOrEqual(LEASE_MS);
    },
    LIMIT_MS,
  );
});

function spread(values: readonly number[]): string {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (part: number) => (sorted[Math.ceil(part * sorted.length) - 1] ?? 0).toFixed(1);
  return `p50 ${at(0.5)} ms, p95 ${at(0.95)} ms, p99 ${at(0.99)} ms, max ${at(1)} ms`;
}
