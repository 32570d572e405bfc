import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { SEAL_LOCK, sealedOf, writeEntries } from '../../support/builders/audit.js';
import { HeldLock } from '../../support/database/held-lock.js';
import { Instance } from '../../support/app/instance.js';
import { MASTER_KEY } from '../../support/app/secrets.js';
import { TestDatabase } from '../../support/database/test-database.js';
import { until } from '../../support/app/until.js';

describe('sealing on two instances', () => {
  let database: TestDatabase;
  const instances = new Map<string, Instance>();
  beforeAll(async () => {
    database = await TestDatabase.create();
    const named = (name: string) => {
      const url = `${database.url}?application_name=${name}`;
      return { env: { NODE_ENV: 'test', LOG_LEVEL: 'silent', DATABASE_URL: url, MASTER_KEY } };
    };
    const [one, other] = await Instance.startTwo(named('one'), named('other'));
    instances.set('one', one).set('other', other);
  });
  afterAll(async () => {
    await Promise.all([...instances.values()].map((instance) => instance.stop()));
    await database.drop();
  });

  const sealers = () =>
    database.query<{ name: string; waits: boolean }>(
      `SELECT application_name AS name, wait_event_type IS NOT DISTINCT FROM 'Lock' AS waits FROM pg_locks JOIN pg_stat_activity USING (pid)
       WHERE locktype = 'advisory' AND objid = $1 AND granted AND pg_locks.database =
         (SELECT oid FROM pg_database WHERE datname = current_database())`,
      [SEAL_LOCK],
    );

  const theSealer = async (): Promise<Instance> => {
    await until(async () => (await sealers()).length > 0);
    const instance = instances.get((await sealers())[0]?.name ?? '');
    if (!instance) throw new Error('no instance of this test is sealing');
    return instance;
  };
  const takenOver = (ids: readonly string[]) =>
    until(async () => (await sealedOf(database, ids)) === ids.length, 15_000, 'the other one seals');

  it('is taken over within seconds when the sealer freezes with a live connection', async () => {
    const seals = await HeldLock.take(database.url, 'LOCK TABLE audit_seals IN ACCESS EXCLUSIVE MODE');
    const still = await theSealer();
    try {
      const ids = await writeEntries(database, 3);
      still.process.kill('SIGSTOP');
      await seals.release();
      await takenOver(ids);
    } finally {
      await seals.release();
      still.process.kill('SIGCONT');
    }
  });

  it('is taken over when the sealer freezes while it receives more than a socket buffer holds', async () => {
    const seals = await HeldLock.take(database.url, 'LOCK TABLE audit_seals IN ACCESS EXCLUSIVE MODE');
    const still = await theSealer();
    let entries: HeldLock | undefined;
    try {
      const rows = await database.query<{ id: string }>(
        `INSERT INTO audit_entries (id, occurred_at, actor_type, action, outcome, request_id)
         SELECT gen_random_uuid(), clock_timestamp(), 'system', 'test.large', 'success', repeat('x', 4000)
         FROM generate_series(1, 4000) RETURNING id`,
      );
      // The instance knows the coverage of the last seal by now, so it can only wait for new entries.
      entries = await HeldLock.take(database.url, 'LOCK TABLE audit_entries IN ACCESS EXCLUSIVE MODE');
      await seals.release();
      // Only the sealer counts, because the samples of metrics wait for this table as well.
      await until(async () => (await sealers()).some(({ waits }) => waits));
      still.process.kill('SIGSTOP');
      await entries.release();
      await takenOver(rows.map(({ id }) => id));
    } finally {
      await seals.release();
      await entries?.release();
      still.process.kill('SIGCONT');
    }
  });

  it('is done by one at a time, and the other takes over within seconds of a kill', async () => {
    // Blocks the current sealer in the middle of its work.
    const held = await HeldLock.take(database.url, 'LOCK TABLE audit_seals IN ACCESS EXCLUSIVE MODE');
    let ids: string[];
    try {
      ids = await writeEntries(database, 3);
      await until(async () => (await sealers()).length > 0);
      const [sealer] = await sealers();
      for (const end = Date.now() + 2500; Date.now() < end;) {
        expect((await sealers()).map(({ name }) => name)).toEqual([sealer?.name]);
      }
      await instances.get(sealer?.name ?? '')?.stop('SIGKILL');
    } finally {
      await held.release();
    }
    await until(async () => (await sealedOf(database, ids)) === 3, 10_000, 'the other one seals');
    // They created one key between them although they started at the same time.
    expect(await database.query('SELECT kid FROM audit_keys')).toHaveLength(1);
  });
});
