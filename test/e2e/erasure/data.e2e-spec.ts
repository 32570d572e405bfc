import { get as httpGet } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type ResourceBody, resourcesOf } from '../../support/builders/resources.js';
import { settled } from '../../support/app/settled.js';
import { type TestUser, TestApp } from '../../support/app/test-app.js';
import { until } from '../../support/app/until.js';
import { createUserWith, NOBODY, read } from '../../support/builders/users.js';
import { allBecome, createWebhook, Receiver } from '../../support/builders/webhooks.js';

interface Data {
  readonly account: { readonly id: string };
  readonly sessions: readonly { readonly current: boolean }[];
  readonly mailed_tokens: readonly { readonly purpose: string; readonly email: string }[];
  readonly resources: readonly ResourceBody[];
  readonly transfers: readonly { readonly type: string; readonly data: unknown }[];
  readonly events: readonly { readonly type: string; readonly data: unknown }[];
  readonly webhook_deliveries: readonly {
    readonly id: string;
    readonly webhook_id: string;
    readonly type: string;
    readonly attempts: readonly object[];
  }[];
  readonly flags: readonly string[];
  readonly audit_entries: readonly {
    readonly id: string;
    readonly action: string;
    readonly actor: { readonly id: string | null };
    readonly changes: unknown;
    readonly ip: string | null;
  }[];
}

const LIMIT_MS = 1500;
const MANY = 5000;
const ENTRY_BYTES = 2000;

let app: TestApp;
let owner: TestUser;
beforeAll(async () => {
  app = await TestApp.create({ config: { REQUEST_TIMEOUT_MS: LIMIT_MS, OUTBOUND_ALLOW_PRIVATE: true } });
  owner = await app.createUser(['user'], 'Data Owner');
});
afterAll(() => app?.close());

const dataOf = (id: string, caller: TestUser) => app.as(caller, 'get', `/api/users/${id}/data`);

describe('GET /api/users/{id}/data', () => {
  it('returns all data held about the person as a JSON file', async () => {
    await app.as(app.admin, 'patch', `/api/users/${owner.id}`).send({ name: 'Data Renamed' }).expect(200);
    await settled(app.database);
    const answer = await dataOf(owner.id, owner);
    expect(answer.status).toBe(200);
    expect(answer.get('Content-Type')).toBe('application/json; charset=utf-8');
    expect(answer.get('Content-Disposition')).toBe(`attachment; filename="account-${owner.id}.json"`);
    expect(answer.get('Cache-Control')).toBe('no-store');
    const data = answer.body as Data;
    expect(data.account).toEqual(await read(app, owner.id));
    expect(data.sessions).toMatchObject([{ current: true, device: 'tests' }]);
    expect(data.mailed_tokens).toMatchObject([{ purpose: 'verify-email', email: owner.email }]);
    expect(data.events.map(({ type }) => type)).toEqual(['user.created', 'session.started', 'user.updated']);
    expect(data.events[2]?.data).toEqual({ name: 'Data Renamed' });
    expect(data.audit_entries.map(({ action }) => action)).toEqual([
      'export.run',
      'user.update',
      'user.create',
    ]);
  });

  it("decrypts the person's data, but not the request origins and names of others", async () => {
    const helper = await createUserWith(app, ['users:write']);
    await app.as(helper, 'patch', `/api/users/${owner.id}`).send({ name: 'Data Again' }).expect(200);
    const entryIn = async (id: string, caller: TestUser) =>
      ((await dataOf(id, caller)).body as Data).audit_entries.find(
        ({ action, actor }) => action === 'user.update' && actor.id === helper.id,
      );
    const changes = { name: { from: 'Data Renamed', to: 'Data Again' } };
    expect(await entryIn(owner.id, owner)).toMatchObject({ changes, ip: null });
    const own = await entryIn(helper.id, helper);
    expect(own).toMatchObject({ changes: null });
    expect(own?.ip).not.toBeNull();
  });

  it('contains every resource of the person, however many, and the transfers from and to the person', async () => {
    const [collector, giver] = [await app.createUser(), await app.createUser()];
    const [kept, away] = await resourcesOf(app, collector, 2);
    const [gift] = await resourcesOf(app, giver, 1);
    const hand = async (from: TestUser, to: TestUser, id = '') => {
      const body = { to_user_id: to.id, resource_ids: [id] };
      await app.as(from, 'post', '/api/resources/transfer').send(body).expect(200);
      return { from_user_id: from.id, to_user_id: to.id, resource_ids: [id] };
    };
    const transfers = [await hand(collector, giver, away?.id), await hand(giver, collector, gift?.id)];
    // All created at the same time, so that a page of equal times ends between two ids.
    const many = await app.database.query<{ id: string }>(
      `INSERT INTO resources (id, type, name, owner_id)
       SELECT gen_random_uuid(), 'many', 'Many', $1 FROM generate_series(1, 450) RETURNING id`,
      [collector.id],
    );
    await settled(app.database);
    const data = (await dataOf(collector.id, collector)).body as Data;
    const ids = [kept, gift, ...many].map((each) => each?.id ?? '');
    expect(data.resources.map(({ id }) => id).toSorted()).toEqual(ids.toSorted());
    expect(data.resources).toContainEqual(kept);
    expect(data.transfers.map((transfer) => transfer.data)).toMatchObject(transfers);
    expect(data.events).toEqual(expect.arrayContaining([...data.transfers]));
    const gone = (await dataOf(giver.id, giver)).body as Data;
    expect(gone.resources.map(({ id }) => id)).toEqual([away?.id]);
    expect(gone.transfers.map((transfer) => transfer.data)).toMatchObject(transfers);
  });

  it('contains the deliveries of the events of the person to webhooks, however many, with their responses', async () => {
    const receiver = await Receiver.open();
    try {
      receiver.answer = (response, { event }) => void response.end(`got ${event.subject}`);
      const webhook = await createWebhook(app, receiver.url, ['user.created', 'user.updated']);
      const [person, other] = [await app.createUser(), await app.createUser()];
      await app.as(person, 'patch', '/api/users/me').send({ name: 'Data Delivered' }).expect(200);
      await until(() => receiver.about(person.id).length > 0 && receiver.about(other.id).length > 0);
      const delivered = await allBecome(app, webhook, 'delivered');
      const about = new Set(receiver.about(person.id).map(({ id }) => id));
      const own = delivered.filter(({ event_id }) => about.has(event_id)).toReversed();
      const first = (await dataOf(person.id, person)).body as Data;
      expect(first.webhook_deliveries).toEqual(own.map((each) => ({ webhook_id: webhook.id, ...each })));
      expect(first.webhook_deliveries.at(-1)).toMatchObject({
        type: 'user.updated',
        attempts: [{ status: 200, response: `got ${person.id}` }],
      });
      const many = await app.database.query<{ id: string }>(
        `INSERT INTO webhook_deliveries (id, webhook_id, subject, event_id, type, epoch, xid, seq, status, next_attempt_at)
         SELECT make_uuid_v7(), $1, $2, gen_random_uuid(), 'user.updated', 1, '1', number, 'dead', NULL
         FROM generate_series(1, 450) AS number RETURNING id`,
        [webhook.id, person.id],
      );
      const data = (await dataOf(person.id, person)).body as Data;
      const ids = [...own, ...many].map(({ id }) => id);
      expect(data.webhook_deliveries.map(({ id }) => id).toSorted()).toEqual(ids.toSorted());
    } finally {
      await receiver.close();
    }
  });

  it('contains the keys of the flags that list the person', async () => {
    const person = await app.createUser();
    const set = (key: string, allow_user_ids: string[]) =>
      app
        .as(app.admin, 'put', `/api/flags/${key}`)
        .send({ enabled: true, rollout_percent: 100, allow_user_ids })
        .expect(200);
    await set('import', [person.id]);
    await set('export', [person.id, owner.id]);
    await set('signup', [owner.id]);
    expect(((await dataOf(person.id, person)).body as Data).flags).toEqual(['export', 'import']);
    const { id } = await app.createUser();
    expect(((await dataOf(id, app.admin)).body as Data).flags).toEqual([]);
  });

  it('is for the person and for users:delete, which also covers a deleted user', async () => {
    const deleter = await createUserWith(app, ['users:delete']);
    const reader = await createUserWith(app, ['users:read', 'audit:read', 'events:read']);
    expect((await dataOf(owner.id, reader)).status).toBe(404);
    expect((await dataOf(NOBODY, deleter)).status).toBe(404);
    const { id } = await app.createUser();
    await app.as(app.admin, 'delete', `/api/users/${id}`).expect(204);
    expect((await dataOf(id, deleter)).body).toMatchObject({ account: { id, status: 'deleted' } });
  });

  it('lasts as long as bytes flow, reads no further than the client does, and ends with the client', async () => {
    await app.database.query(
      `INSERT INTO audit_entries (id, occurred_at, actor_type, actor_id, action, outcome, request_id)
       SELECT gen_random_uuid(), clock_timestamp(), 'user', $1, 'auth.refresh', 'success', repeat('x', $3)
       FROM generate_series(1, $2::integer)`,
      [owner.id, MANY, ENTRY_BYTES],
    );
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    httpGet(
      `${app.url}/api/users/${owner.id}/data`,
      { headers: { Authorization: `Bearer ${owner.token}` } },
      (response) => {
        let size = 0;
        response.on('data', (chunk: Buffer) => {
          size += chunk.length;
          if (size > chunk.length) return;
          // The client pauses for longer than the request time limit.
          response.pause();
          setTimeout(() => response.resume(), LIMIT_MS + 200);
        });
        response.on('end', () => resolve(size));
        response.on('error', reject);
      },
    );
    expect(await promise).toBeGreaterThan(MANY * ENTRY_BYTES);

    const aborted = httpGet(
      `${app.url}/api/users/${owner.id}/data`,
      { headers: { Authorization: `Bearer ${owner.token}` } },
      (response) => response.once('data', () => aborted.destroy()),
    );
    aborted.on('error', () => {});
    // TestApp.close fails if the request has left a statement or a connection behind.
    await until(() => aborted.destroyed);
  });
});
