import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import supertest from 'supertest';
import { tagOf } from '../../support/http/entity-tags.js';
import { patiently } from '../../support/http/patiently.js';
import { HeldLock } from '../../support/database/held-lock.js';
import type { Instance } from '../../support/app/instance.js';
import { type TestUser, ADMIN, PASSWORD, signIn } from '../../support/app/test-app.js';
import { TestDatabase } from '../../support/database/test-database.js';
import { until } from '../../support/app/until.js';
import { sessionIdOf } from '../../support/builders/sessions.js';
import type { UserBody } from '../../support/builders/users.js';
import { startTwo } from '../../support/app/two-instances.js';

const ROUNDS = 12;

/** Two real processes on one database, so that only the database can enforce what these tests check. */
describe('two instances on one database', () => {
  let database: TestDatabase;
  let instances: Instance[];

  beforeAll(async () => {
    database = await TestDatabase.create();
    instances = await startTwo(database);
  });
  afterAll(async () => {
    await Promise.all(instances.map((instance) => instance.stop()));
    await database.drop();
  });

  const on = (instance: number): string => instances[instance % 2]?.url ?? '';
  const as = (user: TestUser, instance: number, method: 'patch' | 'put' | 'delete' | 'get', path: string) =>
    supertest(on(instance))[method](path).auth(user.token, { type: 'bearer' });

  /**
   * Starts the requests while the users' rows are locked, and releases the rows once all requests wait. The
   * requests of both instances thus reliably meet at the critical point.
   */
  async function meetAt<T>(ids: readonly string[], requests: () => PromiseLike<T>[]): Promise<T[]> {
    const rows = 'SELECT 1 FROM users WHERE id = ANY ($1) FOR UPDATE';
    const gate = await HeldLock.take(database.url, rows, [ids]);
    try {
      // supertest sends a request only when its response is first awaited.
      const started = requests().map((request) => request.then((answer) => answer));
      await until(async () => (await gate.waiting()) >= started.length);
      await gate.release();
      return await Promise.all(started);
    } finally {
      await gate.release();
    }
  }

  async function signUp(instance: number, email: string): Promise<TestUser> {
    await supertest(on(instance))
      .post('/api/users')
      .send({ email, password: PASSWORD, name: 'Racer' })
      .expect(201);
    return signIn(on(instance), email, PASSWORD);
  }

  it("create one administrator and one key together, and accept each other's tokens", async () => {
    const admins = await database.query(`SELECT 1 FROM users WHERE 'admin' = ANY (roles)`);
    expect(admins).toHaveLength(1);
    expect(await database.query('SELECT 1 FROM signing_keys')).toHaveLength(1);
    const admin = await signIn(on(0), ADMIN.email, ADMIN.password);
    expect((await as(admin, 1, 'get', '/api/users/me')).status).toBe(200);
  });

  it('give an address to one of fifty concurrent sign-ups, in any spelling', async () => {
    const spellings = ['wanted@example.com', 'WANTED@example.com', 'ｗａｎｔｅｄ@example.com'];
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, i) =>
        patiently(() =>
          supertest(on(i))
            .post('/api/users')
            .send({ email: spellings[i % 3], password: PASSWORD, name: 'Wants It' }),
        ),
      ),
    );
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
    const refused = answers.filter(({ status }) => status === 409);
    expect(refused).toHaveLength(49);
    for (const { body } of refused) expect(body).toMatchObject({ error: { code: 'CONFLICT' } });
    const rows = await database.query(`SELECT 1 FROM users WHERE email_key = 'wanted@example.com'`);
    expect(rows).toHaveLength(1);
  });

  it('let one of twenty changes to the same version win, and lose none that was answered 200', async () => {
    const admin = await signIn(on(0), ADMIN.email, ADMIN.password);
    const { id } = await signUp(0, 'contested@example.com');
    for (let version = 1; version <= 3; version++) {
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, i) =>
          as(admin, i, 'patch', `/api/users/${id}`)
            .set('If-Match', tagOf({ id, version }))
            .send({ name: `Version ${version + 1} of ${i}` }),
        ),
      );
      const won = answers.filter(({ status }) => status === 200);
      expect(won).toHaveLength(1);
      expect(answers.filter(({ status }) => status === 412)).toHaveLength(19);
      const { body } = await as(admin, version, 'get', `/api/users/${id}`);
      // The last sign-in is shown with a delay of its own.
      const last_login_at = null;
      expect({ ...(body as UserBody), last_login_at }).toEqual({
        ...(won[0]?.body as object),
        last_login_at,
      });
    }
  });

  it('count every change when no request names a version', async () => {
    const admin = await signIn(on(0), ADMIN.email, ADMIN.password);
    const { id } = await signUp(0, 'counted@example.com');
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        as(admin, i, 'patch', `/api/users/${id}`).send({ name: `Change ${i}` }),
      ),
    );
    const versions = answers.map(({ body }) => (body as { version: number }).version);
    expect(versions.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, i) => i + 2));
  });

  describe('never remain without an admin', () => {
    let first: TestUser;
    let second: TestUser;
    beforeAll(async () => {
      first = await signIn(on(0), ADMIN.email, ADMIN.password);
      second = await signUp(1, 'second-admin@example.com');
      // An imported admin without a password never counts as another admin.
      const { id } = await signUp(0, 'imported-admin@example.com');
      await database.query(
        `UPDATE users SET roles = ARRAY['admin', 'user'], password_hash = NULL WHERE id = $1`,
        [id],
      );
      await reinstate();
    });
    // A failed round must not make the next test fail too.
    afterEach(() => reinstate());

    /**
     * Uses SQL, because one of the two may have lost its rights after a round. A superuser can also revive
     * ended sessions.
     */
    async function reinstate(): Promise<void> {
      await database.query(
        `BEGIN; ALTER TABLE events DISABLE TRIGGER refuse_change;
         DELETE FROM events WHERE type = 'session.revoked';
         ALTER TABLE events ENABLE ALWAYS TRIGGER refuse_change; COMMIT`,
      );
      await database.query(
        `WITH users AS (
           UPDATE users SET roles = ARRAY['admin', 'user'], disabled = false, deleted_at = NULL, version = version + 1
           WHERE id = ANY ($1)
         ), revived AS (
           INSERT INTO sessions (id, user_id, device, ip, created_at, last_seen_at, expires_at, ends_at)
           SELECT *, 'test', '127.0.0.1', now(), now(), now() + interval '1 day', now() + interval '1 day'
           FROM unnest($2::uuid[], $1::uuid[])
           ON CONFLICT (id) DO NOTHING
         )
         SELECT pg_notify('gatehouse_principals', 'all')`,
        [
          [first.id, second.id],
          [sessionIdOf(first), sessionIdOf(second)],
        ],
      );
      const asAdmins = async () =>
        (
          await Promise.all(
            [first, second].flatMap((user) =>
              [0, 1].map((instance) => as(user, instance, 'get', '/api/users?limit=1')),
            ),
          )
        ).every(({ status }) => status === 200);
      await until(asAdmins);
    }

    const activeAdmins = () =>
      database.query(
        `SELECT 1 FROM users WHERE 'admin' = ANY (roles) AND status = 'active' AND password_hash IS NOT NULL`,
      );

    const demote = (by: TestUser, target: TestUser, instance: number) =>
      as(by, instance, 'put', `/api/users/${target.id}/roles`)
        .set('If-Match', '*')
        .send({ roles: ['user'] });
    const disable = (by: TestUser, target: TestUser, instance: number) =>
      as(by, instance, 'patch', `/api/users/${target.id}`).send({ status: 'disabled' });
    const remove = (by: TestUser, target: TestUser, instance: number) =>
      as(by, instance, 'delete', `/api/users/${target.id}`);

    const ways = { demote, disable, remove };
    type Way = keyof typeof ways;
    const pairs: [Way, Way][] = [
      ['demote', 'demote'],
      ['disable', 'disable'],
      ['remove', 'remove'],
      ['demote', 'disable'],
      ['disable', 'remove'],
      ['remove', 'demote'],
    ];

    it.each(pairs)('when one would %s and the other %s each other, repeatedly', async (one, other) => {
      for (let round = 0; round < ROUNDS; round++) {
        const answers = await meetAt([first.id, second.id], () => [
          ways[one](first, second, round),
          ways[other](second, first, round + 1),
        ]);
        const statuses = answers.map(({ status }) => status).toSorted((a, b) => a - b);
        // Both requests were authorized as admins. The second to commit must notice that the other is the
        // last admin, or that its own rights are gone.
        expect(statuses[0] === 200 || statuses[0] === 204).toBe(true);
        expect([403, 409]).toContain(statuses[1]);
        expect(await activeAdmins()).toHaveLength(1);
        await reinstate();
      }
    });

    it.each(['demote', 'disable', 'remove'] as const)(
      'when both would %s themselves, repeatedly',
      async (way) => {
        for (let round = 0; round < ROUNDS; round++) {
          const answers = await meetAt([first.id, second.id], () => [
            ways[way](first, first, round),
            ways[way](second, second, round + 1),
          ]);
          const statuses = answers.map(({ status }) => status).toSorted((a, b) => a - b);
          expect(statuses[1]).toBe(409);
          expect(await activeAdmins()).toHaveLength(1);
          await reinstate();
        }
      },
    );

    it('when both sides try everything on both admins at once, without any locks held', async () => {
      for (let round = 0; round < ROUNDS; round++) {
        const answers = await Promise.all(
          Object.values(ways).flatMap((way, i) => [
            way(first, second, round + i),
            way(second, first, round + i + 1),
          ]),
        );
        for (const { status } of answers) expect([200, 204, 401, 403, 404, 409]).toContain(status);
        expect((await activeAdmins()).length).toBeGreaterThanOrEqual(1);
        await reinstate();
      }
    });
  });
});
