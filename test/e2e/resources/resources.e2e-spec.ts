import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Response } from 'supertest';
import { tagOf } from '../../support/http/entity-tags.js';
import { HeldLock } from '../../support/database/held-lock.js';
import { type ResourceBody, resourcesOf } from '../../support/builders/resources.js';
import { type TestUser, TestApp } from '../../support/app/test-app.js';
import { eventsOf } from '../../support/builders/events.js';
import { until } from '../../support/app/until.js';
import { createUserWith, NOBODY, nextPage, withoutRequestId } from '../../support/builders/users.js';

let app: TestApp;
let owner: TestUser;
let other: TestUser;
let manager: TestUser;
beforeAll(async () => {
  app = await TestApp.create();
  owner = await app.createUser();
  other = await app.createUser();
  manager = await createUserWith(app, ['resources:transfer']);
});
afterAll(() => app?.close());

const make = (by: TestUser, body: object) => app.as(by, 'post', '/api/resources').send(body);
const idsOf = (rows: unknown) => (rows as ResourceBody[]).map(({ id }) => id);

async function walk(by: TestUser, path: string): Promise<string[]> {
  const ids: string[] = [];
  for (let next: string | null = path; next !== null;) {
    const answer: Response = await app.as(by, 'get', next);
    expect(answer.status).toBe(200);
    ids.push(...idsOf(answer.body));
    next = nextPage(answer);
  }
  return ids;
}

describe('POST /api/resources', () => {
  it('creates a resource of the caller, returns its Location, and stores an event and an audit entry', async () => {
    const maker = await app.createUser();
    const answer = await make(maker, { type: 'project', name: 'Engine', external_id: 'e-1' });
    const made = answer.body as ResourceBody;
    expect(answer.status).toBe(201);
    expect(answer.get('Location')).toBe(`/api/resources/${made.id}`);
    expect(answer.get('ETag')).toBe(tagOf(made));
    expect(made).toEqual({
      id: made.id,
      type: 'project',
      name: 'Engine',
      external_id: 'e-1',
      owner_id: maker.id,
      version: 1,
      created_at: made.updated_at,
      updated_at: made.created_at,
    });
    expect((await app.as(maker, 'get', `/api/resources/${made.id}`)).body).toEqual(made);
    const facts = { type: 'project', name: 'Engine', external_id: 'e-1', owner_id: maker.id };
    expect(await eventsOf(app, maker.id, ['resource.created'])).toMatchObject([
      { subject: maker.id, data: { resource_id: made.id, ...facts } },
    ]);
    const entries = await app.as(app.admin, 'get', `/api/audit?target_id=${made.id}`);
    expect(entries.body).toMatchObject([
      {
        action: 'resource.create',
        actor: { id: maker.id },
        target: { type: 'resource', id: made.id },
        changes: { name: { from: null, to: 'Engine' }, owner_id: { from: null, to: maker.id } },
      },
    ]);
    // The changes are personal, so they are encrypted with the user's key and erased with it.
    const keys = await app.database.query('SELECT changes_key FROM audit_entries WHERE target_id = $1', [
      made.id,
    ]);
    expect(keys).toEqual([{ changes_key: maker.id }]);
  });

  it('accepts the maximum length of each field in characters, and two with the same external id', async () => {
    const longest = { type: '🙂'.repeat(100), name: '🙂'.repeat(200), external_id: '🙂'.repeat(255) };
    for (let n = 0; n < 2; n++) {
      expect((await make(owner, longest)).body).toMatchObject(longest);
    }
  });

  it.each([
    ['type', { type: '' }],
    ['type', { type: 'x'.repeat(101) }],
    ['type', { type: 'a\tb' }],
    ['type', { type: undefined }],
    ['name', { name: '' }],
    ['name', { name: 'x'.repeat(201) }],
    ['name', { name: 7 }],
    ['external_id', { external_id: '' }],
    ['external_id', { external_id: 'x'.repeat(256) }],
    ['external_id', { external_id: null }],
    ['owner_id', { owner_id: NOBODY }],
  ])('refuses a wrong %s: %j', async (field, wrong) => {
    const answer = await make(owner, { type: 'project', name: 'Engine', ...wrong });
    expect(answer.body).toMatchObject({ error: { code: 'VALIDATION_ERROR', details: [{ field }] } });
  });

  it('creates only one when repeated with the same Idempotency-Key', async () => {
    const send = () => make(other, { type: 'once', name: 'Once' }).set('Idempotency-Key', 'once');
    const first = await send();
    const second = await send();
    expect([second.status, second.text]).toEqual([201, first.text]);
    expect(second.get('Idempotency-Replayed')).toBe('true');
    expect(idsOf((await app.as(other, 'get', '/api/resources')).body)).toHaveLength(1);
  });
});

describe('GET /api/resources', () => {
  let collector: TestUser;
  let ids: string[];
  beforeAll(async () => {
    collector = await app.createUser();
    ids = idsOf(await resourcesOf(app, collector, 7));
    // All created at the same time, so that a page ends inside a group of equal times.
    await app.database.query(`UPDATE resources SET created_at = '2026-01-01' WHERE id = ANY ($1)`, [ids]);
    ids.sort();
  });

  it("pages through the caller's resources, each once, and no others", async () => {
    expect(await walk(collector, '/api/resources?limit=3')).toEqual(ids);
    expect(await walk(collector, `/api/resources?limit=2&owner_id=${collector.id}`)).toEqual(ids);
    const skipped = await app.as(collector, 'get', '/api/resources?offset=5&total=exact');
    expect(idsOf(skipped.body)).toEqual(ids.slice(5));
    expect(skipped.get('X-Total-Count')).toBe('7');
    const estimated = await app.as(collector, 'get', '/api/resources?total=estimate');
    expect(estimated.get('X-Total-Estimate')).toBe('7');
  });

  it('returns all resources to resources:transfer, or those of one user', async () => {
    const [count] = await app.database.query<{ all: number }>(
      'SELECT count(*)::integer AS all FROM resources',
    );
    const all = await walk(manager, '/api/resources?limit=4');
    expect(all).toHaveLength(count?.all ?? 0);
    expect(new Set(all).size).toBe(all.length);
    expect(await walk(manager, `/api/resources?limit=4&owner_id=${collector.id}`)).toEqual(ids);
    expect((await app.as(manager, 'get', '/api/resources?total=exact')).get('X-Total-Count')).toBe(
      String(all.length),
    );
  });

  it('refuses the resources of another user to callers without the permission', async () => {
    const answer = await app.as(collector, 'get', `/api/resources?owner_id=${owner.id}`);
    expect(answer.body).toMatchObject({ error: { code: 'FORBIDDEN' } });
  });

  it('refuses a cursor with an offset, of another owner, or of another list', async () => {
    const first = await app.as(collector, 'get', '/api/resources?limit=1');
    const next = nextPage(first) ?? '';
    const cursor = new URLSearchParams(next.split('?')[1]).get('cursor') ?? '';
    for (const [by, query] of [
      [collector, `cursor=${cursor}&offset=1`],
      [manager, `cursor=${cursor}`],
      [collector, 'cursor=nonsense'],
      [collector, 'offset=10001'],
      [collector, 'limit=101'],
      [collector, 'sort=name'],
    ] as const) {
      const answer = await app.as(by, 'get', `/api/resources?${query}`);
      expect([query, answer.body]).toMatchObject([query, { error: { code: 'VALIDATION_ERROR' } }]);
    }
  });
});

describe('one resource', () => {
  it('is visible to its owner and to resources:transfer, and returns the same 404 as an unknown id to others', async () => {
    const [{ id }] = (await resourcesOf(app, owner, 1)) as [ResourceBody];
    for (const by of [owner, manager, app.admin]) {
      expect((await app.as(by, 'get', `/api/resources/${id}`)).status).toBe(200);
    }
    for (const method of ['get', 'delete'] as const) {
      const hidden = await app.as(other, method, `/api/resources/${id}`);
      const missing = await app.as(other, method, `/api/resources/${NOBODY}`);
      expect(hidden.status).toBe(404);
      expect(withoutRequestId(hidden)).toBe(withoutRequestId(missing));
    }
    const denied = await app.as(app.admin, 'get', `/api/audit?actor_id=${other.id}&outcome=denied`);
    expect(denied.body).toMatchObject([
      { action: 'permission.check', target: { id: 'DELETE /api/resources/:id' } },
      { action: 'permission.check', target: { id: 'GET /api/resources/:id' } },
    ]);
  });

  it('returns 304 for the current version', async () => {
    const [{ id }] = (await resourcesOf(app, owner, 1)) as [ResourceBody];
    const get = () => app.as(owner, 'get', `/api/resources/${id}`);
    expect((await get().set('If-None-Match', tagOf({ id, version: 1 }))).status).toBe(304);
    expect((await get().set('If-None-Match', tagOf({ id, version: 2 }))).status).toBe(200);
    expect((await get()).get('Cache-Control')).toBe('private, no-cache');
  });

  it('is deleted permanently in the named version, with an event and an audit entry', async () => {
    const [{ id }] = (await resourcesOf(app, owner, 1)) as [ResourceBody];
    const remove = () => app.as(owner, 'delete', `/api/resources/${id}`);
    const stale = await remove().set('If-Match', tagOf({ id, version: 2 }));
    expect([stale.status, stale.get('ETag')]).toEqual([412, tagOf({ id, version: 1 })]);
    expect((await remove().set('If-Match', tagOf({ id, version: 1 }))).status).toBe(204);
    expect((await remove()).status).toBe(404);
    expect(await eventsOf(app, owner.id, ['resource.deleted'])).toMatchObject([
      { data: { resource_id: id } },
    ]);
    const [entry] = (await app.as(app.admin, 'get', `/api/audit?target_id=${id}`)).body as object[];
    expect(entry).toMatchObject({
      action: 'resource.delete',
      changes: { name: { from: 'Thing 0', to: null } },
    });
  });

  it('can be deleted with resources:transfer, which also allows taking it over', async () => {
    const [{ id }] = (await resourcesOf(app, owner, 1)) as [ResourceBody];
    expect((await app.as(manager, 'delete', `/api/resources/${id}`)).status).toBe(204);
    expect((await app.as(owner, 'get', `/api/resources/${id}`)).status).toBe(404);
  });
});

describe('an owner who is erased', () => {
  it('leaves no names of very many resources: some are erased with the user, the rest right afterwards', async () => {
    const { id } = await app.createUser();
    await app.database.query(
      `INSERT INTO resources (id, type, name, external_id, owner_id)
       SELECT gen_random_uuid(), 'many', 'Many ' || n, n::text, $1 FROM generate_series(1, 10001) AS n`,
      [id],
    );
    const named = async () =>
      (
        await app.database.query<{ count: number }>(
          `SELECT count(*)::integer FROM resources
           WHERE owner_id = $1 AND (name <> 'erased' OR external_id IS NOT NULL OR version <> 2)`,
          [id],
        )
      )[0]?.count;
    await app.as(app.admin, 'delete', `/api/users/${id}`).expect(204);
    expect(await named()).toBe(10_001);
    await app.as(app.admin, 'post', `/api/users/${id}/erase`).expect(202);
    await until(async () => (await named()) === 0);
    const left = await app.as(manager, 'get', `/api/resources?owner_id=${id}&total=exact`);
    expect(left.get('X-Total-Count')).toBe('10001');
  });

  it('gets no resource from a request that was running when the user was deleted', async () => {
    const gone = await app.createUser();
    const held = await HeldLock.take(app.database.url, 'SELECT 1 FROM users WHERE id = $1 FOR UPDATE', [
      gone.id,
    ]);
    try {
      const answer = make(gone, { type: 'late', name: 'Late' }).then(({ status }) => status);
      await until(async () => (await held.waiting()) > 0);
      await held.query(`UPDATE users SET deleted_at = clock_timestamp() WHERE id = '${gone.id}'; COMMIT`);
      expect(await answer).toBe(401);
    } finally {
      await held.release();
    }
    expect((await app.as(manager, 'get', `/api/resources?owner_id=${gone.id}`)).body).toEqual([]);
  });
});
