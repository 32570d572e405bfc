import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Response } from 'supertest';
import { HeldLock } from '../../support/database/held-lock.js';
import {
  receivers,
  type ResourceBody,
  resourcesOf,
  told,
  transfersOf,
} from '../../support/builders/resources.js';
import { type TestUser, TestApp } from '../../support/app/test-app.js';
import { eventsOf } from '../../support/builders/events.js';
import { until } from '../../support/app/until.js';
import { createUserWith, NOBODY } from '../../support/builders/users.js';

const ROUNDS = 3;
const AT_ONCE = 50;

let app: TestApp;
/** The giver and the receiver, created anew before each test that transfers something. */
let ada: TestUser;
let ben: TestUser;
let manager: TestUser;
beforeAll(async () => {
  app = await TestApp.create();
  manager = await createUserWith(app, ['resources:transfer']);
});
afterAll(() => app?.close());

async function twoPeople(): Promise<void> {
  ada = await app.createUser();
  ben = await app.createUser();
}
/** Sends the request when called, not when its response is first awaited. */
const transfer = (by: TestUser, body: object): Promise<Response> =>
  app
    .as(by, 'post', '/api/resources/transfer')
    .send(body)
    .then((answer) => answer);
const give = (from: TestUser, to: { id: string }, ids: readonly string[]): Promise<Response> =>
  transfer(from, { to_user_id: to.id, resource_ids: ids });
const some = async (owner: TestUser, count: number) =>
  (await resourcesOf(app, owner, count)).map(({ id }) => id);
const state = (ids: readonly string[]) =>
  app.database.query<{ owner_id: string; version: number }>(
    'SELECT owner_id, version FROM resources WHERE id = ANY ($1) ORDER BY id',
    [ids],
  );

/** Returns everything that a transfer writes, down to the last row. */
const written = async () => {
  const [counts] = await app.database.query(
    `SELECT (SELECT count(*) FROM events) AS events, (SELECT count(*) FROM audit_entries) AS entries,
            (SELECT json_agg(r ORDER BY id) FROM (SELECT *, xmin, xmax FROM resources) AS r) AS resources`,
  );
  return counts;
};

const transferEventsOf = (user: TestUser) => eventsOf(app, user.id, ['ownership.transferred']);

describe('a transfer', () => {
  beforeEach(twoPeople);

  it('transfers all resources, each in its next version, with one event per side and one audit entry', async () => {
    const ids = await some(ada, 3);
    const answer = await give(ada, ben, ids);
    expect([answer.status, answer.body]).toMatchObject([200, { transferred: 3 }]);
    expect(await state(ids)).toEqual(ids.map(() => ({ owner_id: ben.id, version: 2 })));
    expect((await app.as(ben, 'get', `/api/resources/${ids[0]}`)).get('ETag')).toBe(`"${ids[0]}.2"`);
    expect((await app.as(ada, 'get', `/api/resources/${ids[0]}`)).status).toBe(404);
    const data = { from_user_id: ada.id, to_user_id: ben.id, resource_ids: ids };
    const { event_id: eventId } = answer.body as { event_id: string };
    expect(await transferEventsOf(ada)).toMatchObject([{ id: eventId, subject: ada.id, data }]);
    expect(await transferEventsOf(ben)).toMatchObject([{ subject: ben.id, data }]);
    const entries = await app.as(app.admin, 'get', `/api/audit?action=resource.transfer&actor_id=${ada.id}`);
    expect(entries.body).toMatchObject([
      {
        target: { type: 'user', id: ben.id },
        changes: { owner_id: { from: ada.id, to: ben.id }, resource_ids: { from: null, to: ids } },
      },
    ]);
  });

  it('of one resource has that resource as its audit target', async () => {
    const ids = await some(ada, 1);
    await give(ada, ben, ids);
    const entries = await app.as(app.admin, 'get', `/api/audit?action=resource.transfer&target_id=${ids[0]}`);
    expect(entries.body).toMatchObject([{ target: { type: 'resource', id: ids[0] } }]);
  });

  it('of a thousand resources is one transfer', async () => {
    const rows = await app.database.query<{ id: string }>(
      `INSERT INTO resources (id, type, name, owner_id)
       SELECT gen_random_uuid(), 'many', 'Many', $1 FROM generate_series(1, 1000) RETURNING id`,
      [ada.id],
    );
    const ids = rows.map(({ id }) => id);
    expect((await give(ada, ben, ids)).body).toMatchObject({ transferred: 1000 });
    expect(await state(ids)).toEqual(ids.map(() => ({ owner_id: ben.id, version: 2 })));
    expect((await give(ben, ada, [...ids, NOBODY])).status).toBe(400);
  });

  it.each(['does not exist', 'belongs to another user'])(
    'transfers nothing when one of many %s',
    async (why) => {
      const ids = await some(ada, 3);
      const wrong = why === 'does not exist' ? NOBODY : (await some(ben, 1))[0];
      const before = await written();
      const answer = await give(ada, ben, [...ids, wrong ?? '']);
      expect([answer.status, answer.body]).toMatchObject([
        409,
        { error: { code: 'CONFLICT', details: [{ field: 'resource_ids.3' }] } },
      ]);
      // The rows were locked during the check and then released.
      expect(withoutLocks(await written())).toEqual(withoutLocks(before));
    },
  );

  it('in a dry run gives the same response and writes nothing at all', async () => {
    const ids = await some(ada, 2);
    const before = await written();
    const ask = (resourceIds: string[]) =>
      transfer(ada, { to_user_id: ben.id, resource_ids: resourceIds, dry_run: true });
    expect((await ask(ids)).body).toEqual({ transferred: 2, event_id: null });
    expect((await ask([...ids, NOBODY])).status).toBe(409);
    const nowhere = { to_user_id: NOBODY, resource_ids: ids, dry_run: true };
    expect((await transfer(ada, nowhere)).status).toBe(404);
    expect(await written()).toEqual(before);
  });

  it('for another user requires resources:transfer, which is checked first', async () => {
    const ids = await some(ada, 1);
    const body = { from_user_id: ada.id, to_user_id: ben.id, resource_ids: ids };
    expect((await transfer(ben, body)).status).toBe(403);
    expect((await transfer(ben, { ...body, from_user_id: NOBODY })).status).toBe(403);
    expect((await transfer(manager, body)).body).toMatchObject({ transferred: 1 });
    expect(await state(ids)).toEqual([{ owner_id: ben.id, version: 2 }]);
    const own = { from_user_id: ben.id.toUpperCase(), to_user_id: ada.id, resource_ids: ids };
    expect((await transfer(ben, own)).status).toBe(200);
  });

  it('names the missing side', async () => {
    const ids = await some(ada, 1);
    const disabled = await app.createUser();
    await app.as(app.admin, 'patch', `/api/users/${disabled.id}`).send({ status: 'disabled' });
    const deleted = await app.createUser();
    await app.as(app.admin, 'delete', `/api/users/${deleted.id}`);
    for (const [from, to, fields] of [
      [ada.id, NOBODY, ['to_user_id']],
      [ada.id, disabled.id, ['to_user_id']],
      [ada.id, deleted.id, ['to_user_id']],
      [NOBODY, ada.id, ['from_user_id']],
      [disabled.id, ada.id, ['from_user_id']],
      [disabled.id, NOBODY, ['from_user_id', 'to_user_id']],
    ] as const) {
      const answer = await transfer(manager, { from_user_id: from, to_user_id: to, resource_ids: ids });
      const { error } = answer.body as {
        error: { code: string; message: string; details: { field: string }[] };
      };
      expect([error.code, error.details.map(({ field }) => field)]).toEqual(['NOT_FOUND', fields]);
      expect(error.message).toContain(fields.join(' and '));
    }
    expect(await state(ids)).toEqual([{ owner_id: ada.id, version: 1 }]);
  });

  it('moves the resources of a deleted user to another one with resources:transfer', async () => {
    const ids = await some(ada, 2);
    await app.as(app.admin, 'delete', `/api/users/${ada.id}`);
    const left = await app.as(manager, 'get', `/api/resources?owner_id=${ada.id}`);
    expect((left.body as ResourceBody[]).map(({ id }) => id)).toEqual(ids);
    const body = { from_user_id: ada.id, to_user_id: ben.id, resource_ids: ids };
    expect((await transfer(manager, body)).body).toMatchObject({ transferred: 2 });
    expect(await state(ids)).toEqual(ids.map(() => ({ owner_id: ben.id, version: 2 })));
    expect(await transferEventsOf(ada)).toHaveLength(1);
  });

  it('runs once when repeated with the same Idempotency-Key', async () => {
    const ids = await some(ada, 1);
    const send = () =>
      app
        .as(ada, 'post', '/api/resources/transfer')
        .set('Idempotency-Key', 'transfer')
        .send({ to_user_id: ben.id, resource_ids: ids });
    const first = await send();
    expect(first.status).toBe(200);
    expect((await send()).text).toBe(first.text);
    expect(await state(ids)).toEqual([{ owner_id: ben.id, version: 2 }]);
  });
});

describe('an invalid transfer', () => {
  it.each([
    ['to_user_id', { to_user_id: 'nonsense' }],
    ['to_user_id', { to_user_id: undefined }],
    ['from_user_id', { from_user_id: null }],
    ['resource_ids', { resource_ids: [] }],
    ['resource_ids', { resource_ids: NOBODY }],
    ['resource_ids', { resource_ids: [NOBODY, 'nonsense'] }],
    ['resource_ids', { resource_ids: [NOBODY, NOBODY.toUpperCase()] }],
    ['resource_ids', { resource_ids: Array.from({ length: 200_000 }, (_, n) => String(n)) }],
    ['dry_run', { dry_run: 'true' }],
    ['more', { more: 1 }],
  ])('is refused for a wrong %s', async (field, wrong) => {
    const answer = await transfer(manager, { to_user_id: NOBODY, resource_ids: [NOBODY], ...wrong });
    expect(answer.body).toMatchObject({ error: { code: 'VALIDATION_ERROR', details: [{ field }] } });
  });

  it('is refused when it names the giver as receiver', async () => {
    const answer = await give(manager, manager, [NOBODY]);
    expect(answer.body).toMatchObject({
      error: { code: 'VALIDATION_ERROR', details: [{ field: 'to_user_id' }] },
    });
  });
});

describe('concurrent transfers', () => {
  beforeEach(twoPeople);

  it(`have one winner of ${AT_ONCE}, one owner, and one audit entry`, async () => {
    const [id = ''] = await some(ada, 1);
    const people = await receivers(app.database, AT_ONCE);
    let owner = ada.id;
    for (let round = 1; round <= ROUNDS; round++) {
      const seen = (await told(app.database)).length;
      const others = people.filter((each) => each !== owner);
      const answers = await Promise.all(
        others.map((to) => transfer(manager, { from_user_id: owner, to_user_id: to, resource_ids: [id] })),
      );
      const won = others.filter((_, index) => answers[index]?.status === 200);
      expect(won).toHaveLength(1);
      expect(answers.filter(({ status }) => status === 409)).toHaveLength(others.length - 1);
      expect(await state([id])).toEqual([{ owner_id: won[0], version: round + 1 }]);
      expect(await transfersOf(app.database, id)).toBe(round);
      expect(await told(app.database, seen)).toEqual([owner, won[0]]);
      owner = won[0] ?? '';
    }
  });

  it('in opposite directions, and of the same resources in any order, all end without a deadlock', async () => {
    const [mine, yours] = [await some(ada, 12), await some(ben, 12)];
    const answers = await Promise.all([
      give(ada, ben, mine.slice(0, 6)),
      give(ben, ada, yours.slice(0, 6)),
      give(ada, ben, mine.slice(6).toReversed()),
      give(ben, ada, yours.slice(6).toReversed()),
      give(ada, ben, mine.toReversed()),
      give(ben, ada, yours.toReversed()),
    ]);
    expect(answers.map(({ status }) => status).filter((status) => ![200, 409].includes(status))).toEqual([]);
    const [ofAda, ofBen] = [await state(yours), await state(mine)];
    const owners = (rows: { owner_id: string }[]) => new Set(rows.map((row) => row.owner_id)).size;
    expect([owners(ofAda), owners(ofBen)]).toEqual([1, 1]);
    const [row] = await app.database.query<{ deadlocks: string }>(
      'SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()',
    );
    expect(row?.deadlocks).toBe('0');
  });

  /** Returns true if another transaction could lock the row now. */
  const isFree = async (table: 'users' | 'resources', id: string) => {
    try {
      await app.database.query(`SELECT 1 FROM ${table} WHERE id = $1 FOR UPDATE NOWAIT`, [id]);
      return true;
    } catch (error) {
      expect(error).toMatchObject({ code: '55P03' });
      return false;
    }
  };

  it('lock the users in id order, then the resources in id order', async () => {
    const [low = '', high = ''] = (await some(ada, 2)).toSorted();
    const [first = '', second = ''] = [ada.id, ben.id].toSorted();
    const body = { from_user_id: ada.id, to_user_id: ben.id, resource_ids: [high, low] };
    const answer = await whileHeld(RESOURCE, [low], async (resource) => {
      const pending = await whileHeld(LOCK_USER, [first], async (user) => {
        const sent = transfer(manager, body);
        await until(async () => (await user.waiting()) === 1);
        expect(await isFree('users', second)).toBe(true);
        return { sent };
      });
      await until(async () => (await resource.waiting()) === 1 && !(await isFree('users', second)));
      expect(await isFree('resources', high)).toBe(true);
      return pending;
    });
    expect((await answer.sent).body).toMatchObject({ transferred: 2 });
  });

  it('emit events in the order of the transfers, also when an earlier transaction transfers second', async () => {
    const [id = ''] = await some(ada, 1);
    // The waiting transfer has no position in the order of events yet, and the lock keeps others from locking
    // a resource.
    const { back } = await whileHeld('LOCK TABLE resources IN EXCLUSIVE MODE', [], async (gate) => {
      const sent = transfer(manager, { from_user_id: ben.id, to_user_id: ada.id, resource_ids: [id] });
      await until(async () => (await gate.waiting()) === 1);
      await gate.query(`UPDATE resources SET owner_id = '${ben.id}' WHERE id = '${id}'`);
      await gate.query(
        `INSERT INTO events (id, type, stream, stream_version, subject, occurred_at)
         VALUES (gen_random_uuid(), 'ownership.transferred', gen_random_uuid(), 1, '${id}', clock_timestamp())`,
      );
      await gate.query('COMMIT');
      return { back: sent };
    });
    expect((await back).status).toBe(200);
    expect((await told(app.database)).slice(-3)).toEqual([id, ben.id, ada.id]);
  });

  it('and a deletion of the receiver are serialized: a deleted user receives nothing', async () => {
    const ids = await some(ada, 1);
    const { pending } = await whileHeld(LOCK_USER, [ben.id], async (gate) => {
      const sent = give(ada, ben, ids);
      await until(async () => (await gate.waiting()) === 1);
      await gate.query(`UPDATE users SET deleted_at = now() WHERE id = '${ben.id}'`);
      await gate.query('COMMIT');
      return { pending: sent };
    });
    expect((await pending).status).toBe(404);
    expect(await state(ids)).toEqual([{ owner_id: ada.id, version: 1 }]);
  });

  it('and a deletion of the resource are serialized: a deleted resource is not transferred', async () => {
    const ids = await some(ada, 1);
    const answers = await whileHeld(RESOURCE, ids, async (gate) => {
      const removed = app.as(ada, 'delete', `/api/resources/${ids[0]}`).then(({ status }) => status);
      await until(async () => (await gate.waiting()) === 1);
      const given = give(ada, ben, ids).then(({ status }) => status);
      await until(async () => (await gate.waiting()) === 2);
      return { removed, given };
    });
    expect(await Promise.all([answers.removed, answers.given])).toEqual([204, 409]);
    expect(await state(ids)).toEqual([]);
  });
});

const LOCK_USER = 'SELECT 1 FROM users WHERE id = $1 FOR UPDATE';
const RESOURCE = 'SELECT 1 FROM resources WHERE id = $1 FOR UPDATE';

/**
 * Runs `work` while another transaction holds the lock. `work` returns its pending request inside an object,
 * so that nothing awaits the request too early.
 */
async function whileHeld<T>(
  sql: string,
  values: unknown[],
  work: (gate: HeldLock) => Promise<T>,
): Promise<T> {
  const gate = await HeldLock.take(app.database.url, sql, values);
  try {
    return await work(gate);
  } finally {
    await gate.release();
  }
}

/** Removes `xmax`, in which a released lock leaves its mark. */
function withoutLocks(rows: object | undefined): unknown {
  return JSON.parse(JSON.stringify(rows), (key, value: unknown) => (key === 'xmax' ? undefined : value));
}
