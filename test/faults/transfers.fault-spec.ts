import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Instance } from '../support/app/instance.js';
import { receivers, told, transfersOf } from '../support/builders/resources.js';
import { bearer, closeConnections, send } from '../support/http/send.js';
import { type TestUser, ADMIN, signIn } from '../support/app/test-app.js';
import { TestDatabase } from '../support/database/test-database.js';
import { startTwo } from '../support/app/two-instances.js';
import { UNLIMITED } from '../support/app/unlimited.js';

const ROUNDS = 200;
const AT_ONCE = 50;

describe('concurrent transfers of one resource to different users on two instances', () => {
  let database: TestDatabase;
  let instances: Instance[];
  let admin: TestUser;
  beforeAll(async () => {
    database = await TestDatabase.create();
    // The pools hold as many connections as requests, so that all requests meet at the row and none waits for
    // the pool.
    instances = await startTwo(database, { ...UNLIMITED, DB_POOL_MAX: String(AT_ONCE / 2) });
    admin = await signIn(instances[0]?.url ?? '', ADMIN.email, ADMIN.password);
  });
  afterAll(async () => {
    closeConnections();
    await Promise.all(instances.map((instance) => instance.stop()));
    await database.drop();
  });

  const post = (n: number, path: string, body: object) =>
    send(instances[n % 2]?.url ?? '', { method: 'POST', path, headers: bearer(admin), body });

  it(`have one winner, one owner and one audit entry in each of ${ROUNDS} rounds`, async () => {
    const made = await post(0, '/api/resources', { type: 'thing', name: 'Wanted' });
    const { id } = made.json as { id: string };
    const people = await receivers(database, AT_ONCE + 1);
    let owner = admin.id;
    for (let round = 1; round <= ROUNDS; round++) {
      const others = people.filter((each) => each !== owner).slice(0, AT_ONCE);
      const answers = await Promise.all(
        others.map((to, n) =>
          post(n, '/api/resources/transfer', { from_user_id: owner, to_user_id: to, resource_ids: [id] }),
        ),
      );
      const [winner, ...more] = others.filter((_, n) => answers[n]?.status === 200);
      expect(more).toEqual([]);
      expect(answers.filter(({ status }) => status === 409)).toHaveLength(AT_ONCE - 1);
      expect(await database.query('SELECT owner_id, version FROM resources WHERE id = $1', [id])).toEqual([
        { owner_id: winner, version: round + 1 },
      ]);
      expect(await transfersOf(database, id)).toBe(round);
      expect(await told(database, (round - 1) * 2)).toEqual([owner, winner]);
      owner = winner ?? '';
    }
    const [row] = await database.query<{ deadlocks: string }>(
      'SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()',
    );
    expect(row?.deadlocks).toBe('0');
    process.stdout.write(`${ROUNDS} rounds of ${AT_ONCE} transfers, no deadlock\n`);
  }, 600_000);
});
