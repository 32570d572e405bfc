import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { noSignals } from '../support/faults/backends.js';
import { crashDatabase } from '../support/faults/database-crash.js';
import { LEASE_MS, Pair } from '../support/app/pair.js';
import { revocations, tryOut } from '../support/faults/revocations.js';
import { closeConnections } from '../support/http/send.js';
import type { TestUser } from '../support/app/test-app.js';
import { TestDatabase } from '../support/database/test-database.js';
import { until } from '../support/app/until.js';
import { wherePossible } from '../support/app/where-possible.js';

const ROUNDS = 5;

// The fault specs run one at a time, so they may crash the run's server.
wherePossible(noSignals, 'a database that crashes', () =>
  describe('a database that crashes and comes back', () => {
    let database: TestDatabase;
    let pair: Pair;
    let watched: TestUser;
    beforeAll(async () => {
      database = await TestDatabase.create();
      pair = await Pair.start(database);
      watched = await pair.createUser('watched@example.com');
    });
    afterAll(async () => {
      closeConnections();
      await pair.stop();
      await database.drop();
    });

    const trusts = (where: 'here' | 'there') =>
      until(() => pair.remembers(where, watched), 30_000, `the cache is used again ${where}`);
    const serves = (where: 'here' | 'there') =>
      until(
        async () => (await pair.call(where, pair.admin, { path: '/api/users?limit=1' })).status === 200,
        30_000,
        `an answer ${where}`,
      );

    it(`never leaves a stale permission, and uses the cache again after each of ${ROUNDS} crashes`, async () => {
      const said: string[] = [];
      for (let round = 0; round < ROUNDS; round++) {
        const demoted = await pair.createUser(`demoted-${round}@example.com`, ['user', 'auditor']);
        const gone = await pair.createUser(`gone-${round}@example.com`);
        await Promise.all([trusts('here'), trusts('there')]);
        const crashedAt = performance.now();
        await crashDatabase(database.url);
        await Promise.all([serves('here'), serves('there')]);
        const served = performance.now() - crashedAt;
        for (const outcome of [
          await tryOut(pair, demoted, revocations['a role that is taken']),
          await tryOut(pair, gone, revocations.logout),
        ]) {
          expect(outcome.admitted.here).toBe(0);
          expect(outcome.lastAdmittedMs).toBeLessThanOrEqual(LEASE_MS);
        }
        await Promise.all([trusts('here'), trusts('there')]);
        said.push(`${served.toFixed(0)}/${(performance.now() - crashedAt).toFixed(0)}`);
      }
      process.stdout.write(`served again / cache used again, ms after the crash: ${said.join(', ')}\n`);
    }, 300_000);
  }),
);
