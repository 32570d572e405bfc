import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { auditActions } from '../../../src/modules/audit-actions.js';
import { type EntryBody, listEntries, readEntries } from '../../support/builders/audit.js';
import { AUDIT_PAGE, rowsReadBy } from '../../support/builders/audit-plans.js';
import { eventsOf, linesOf, runExport } from '../../support/builders/exports.js';
import { expectEnvelope } from '../../support/http/envelope.js';
import { type TestUser, PASSWORD, TestApp } from '../../support/app/test-app.js';
import { createUserWith, nextPage, signUp } from '../../support/builders/users.js';

let app: TestApp;
/** May read the audit log and users, may read users and the deleted ones, and may read nothing but the audit log. */
let auditor: TestUser;
let deleter: TestUser;
let blind: TestUser;
beforeAll(async () => {
  app = await TestApp.create();
  auditor = await app.createUser(['auditor', 'user']);
  deleter = await createUserWith(app, ['audit:read', 'users:read', 'users:delete']);
  blind = await createUserWith(app, ['audit:read', 'export:run']);
});
afterAll(() => app?.close());

const list = (query: Record<string, string>, caller = auditor) => listEntries(app, caller, query);
const entries = (query: Record<string, string>, caller = auditor) => readEntries(app, caller, query);
const exported = (query: string, user: TestUser) =>
  runExport({ url: app.url, user, path: `/api/export/audit?${query}` });

describe('the filter by several actions', () => {
  it('returns the entries of all of them, newest first, page by page', async () => {
    const actor = await app.createUser();
    for (let n = 0; n < 3; n++) {
      await app
        .as(actor, 'patch', '/api/users/me')
        .send({ name: `Name ${n}` })
        .expect(200);
      await app
        .as(actor, 'post', '/api/resources')
        .send({ type: 'boat', name: `Boat ${n}` })
        .expect(201);
      await app.as(actor, 'get', '/api/users').expect(403);
    }
    const wanted = 'user.update, resource.create,user.update';
    const found: EntryBody[] = [];
    const path = `/api/audit?actor_id=${actor.id}&limit=4&action=${encodeURIComponent(wanted)}&total=exact`;
    for (let next: string | null = path; next !== null;) {
      const answer = await app.as(auditor, 'get', next).expect(200);
      expect(answer.get('X-Total-Count')).toBe('6');
      found.push(...(answer.body as EntryBody[]));
      next = nextPage(answer);
    }
    expect(found.map(({ action }) => action)).toEqual([
      'resource.create',
      'user.update',
      'resource.create',
      'user.update',
      'resource.create',
      'user.update',
    ]);
    const second = await entries({ actor_id: actor.id, action: wanted, limit: '2', offset: '2' });
    expect(second).toEqual(found.slice(2, 4));
    expect(await entries({ actor_id: actor.id, action: auditActions.join(',') })).toEqual(
      await entries({ actor_id: actor.id }),
    );
  });

  it('continues a cursor in any order of the actions, and refuses it for other actions', async () => {
    const [, second] = await entries({ action: 'user.create,auth.login', limit: '2' });
    const first = await list({ action: 'user.create,auth.login', limit: '1' });
    const cursor = new URLSearchParams(nextPage(first)?.split('?')[1]).get('cursor') ?? '';
    expect(await entries({ action: 'auth.login,user.create', limit: '1', cursor })).toEqual([second]);
    const other = await list({ action: 'auth.login', limit: '1', cursor });
    expect(other.body).toMatchObject({ error: { code: 'VALIDATION_ERROR', details: [{ field: 'cursor' }] } });
  });

  it.each(['', ',', 'user.create,', 'user.create,user.nonsense', 'USER.CREATE'])(
    'rejects %j',
    async (action) => {
      const { body } = await list({ action });
      expect(body).toMatchObject({ error: { code: 'VALIDATION_ERROR', details: [{ field: 'action' }] } });
    },
  );

  it('reads each action in the order of its own index, and sorts no more than a page of each', async () => {
    await app.database.query(
      `INSERT INTO audit_entries (id, occurred_at, actor_type, action, outcome)
       SELECT gen_random_uuid(), clock_timestamp(), 'system',
              CASE n % 100 WHEN 0 THEN 'key.rotate' WHEN 1 THEN 'job.create' ELSE 'auth.refresh' END, 'success'
       FROM generate_series(1, 20_000) AS n`,
    );
    await app.database.query('ANALYZE audit_entries');
    const nodes = await rowsReadBy(app, { actions: ['key.rotate', 'job.create', 'role.update'] });
    expect(Math.max(...nodes)).toBeLessThanOrEqual(2 * AUDIT_PAGE);
  });
});

describe('the filter by email', () => {
  it('returns what the user did and what was done to the user, each entry once', async () => {
    const { id, email } = await signUp(app, 'Ada', 'Ada@Filters.example');
    await app.request('post', '/api/auth/login').send({ email, password: 'not the password' }).expect(401);
    const { body } = await app.request('post', '/api/auth/login').send({ email, password: PASSWORD });
    const ada = { id, email, token: (body as { access_token: string }).access_token };
    await app.as(ada, 'patch', '/api/users/me').send({ name: 'Ada L' }).expect(200);
    await app.as(ada, 'get', '/api/users').expect(403);
    await app.as(app.admin, 'patch', `/api/users/${id}`).send({ name: 'Ada M' }).expect(200);
    const found = await entries({ email: ' ada@FILTERS.example ', total: 'exact' });
    expect(found.map(({ action, outcome }) => [action, outcome])).toEqual([
      ['user.update', 'success'],
      ['permission.check', 'denied'],
      ['user.update', 'success'],
      ['auth.login', 'success'],
      ['auth.login', 'denied'],
      ['user.create', 'success'],
    ]);
    const counted = await list({ email, total: 'exact', limit: '1' });
    expect(counted.get('X-Total-Count')).toBe('6');
    expect(await entries({ email, action: 'user.update,auth.login', outcome: 'success' })).toEqual([
      found[0],
      found[2],
      found[3],
    ]);
    const rows = linesOf((await exported(`format=ndjson&email=${email}`, app.admin)).text).rows;
    expect(rows.map((row) => (JSON.parse(row) as EntryBody).id)).toEqual(
      found.map(({ id: each }) => each).toReversed(),
    );
  });

  it('follows the address to its next owner, and refuses the cursor of the former one', async () => {
    const first = await signUp(app, 'First', 'moving@filters.example');
    await app.as(app.admin, 'patch', `/api/users/${first.id}`).send({ name: 'Former' }).expect(200);
    const page = await list({ email: first.email, limit: '1' });
    const cursor = new URLSearchParams(nextPage(page)?.split('?')[1]).get('cursor') ?? '';
    await app.as(app.admin, 'delete', `/api/users/${first.id}`).expect(204);
    await app.as(app.admin, 'post', `/api/users/${first.id}/erase`).expect(202);
    expect(await entries({ email: first.email })).toEqual([]);
    const second = await signUp(app, 'Second', first.email);
    const found = await entries({ email: first.email });
    expect(found.map(({ target }) => target?.id)).toEqual([second.id]);
    const stale = await list({ email: first.email, limit: '1', cursor });
    expect(stale.body).toMatchObject({ error: { code: 'VALIDATION_ERROR', details: [{ field: 'cursor' }] } });
  });

  it('returns an empty list for an address without a user, and rejects text that is no address', async () => {
    expect(await entries({ email: 'nobody@filters.example' })).toEqual([]);
    const counted = await list({ email: 'nobody@filters.example', total: 'exact' });
    expect(counted.get('X-Total-Count')).toBe('0');
    const { body } = await list({ email: 'nobody' });
    expect(body).toMatchObject({ error: { code: 'VALIDATION_ERROR', details: [{ field: 'email' }] } });
  });

  it('requires users:read, and for a deleted user users:delete', async () => {
    const { id, email } = await signUp(app, 'Gone', 'gone@filters.example');
    await app.as(app.admin, 'delete', `/api/users/${id}`).expect(204);
    expect(await entries({ email })).toEqual([]);
    expect(await entries({ email }, deleter)).toMatchObject([
      { action: 'user.delete' },
      { action: 'user.create' },
    ]);
    for (const given of [email, 'nobody@filters.example']) {
      expect((await list({ email: given }, blind)).body).toMatchObject({
        error: { code: 'FORBIDDEN', message: 'email requires the permission users:read' },
      });
    }
    expectEnvelope(await exported(`email=${email}`, blind), 'FORBIDDEN');
  });
});

describe('the addresses in entries', () => {
  const changed = async (name: string, email: string) => {
    const { id } = await signUp(app, name, email);
    await app
      .as(app.admin, 'patch', `/api/users/${id}`)
      .send({ name: `${name} Changed` })
      .expect(200);
    return id;
  };

  it('are those of actor and target as of now, for callers who may read users', async () => {
    const id = await changed('Grace', 'grace@filters.example');
    const [entry] = await entries({ target_id: id, action: 'user.update' });
    expect(entry).toMatchObject({
      actor: { id: app.admin.id, email: app.admin.email },
      target: { type: 'user', id, email: 'grace@filters.example' },
    });
    const one = await app.as(auditor, 'get', `/api/audit/${entry?.id}`).expect(200);
    expect(one.body).toEqual(entry);
    await app.database.query(`UPDATE users SET email = 'hopper@filters.example' WHERE id = $1`, [id]);
    const [now] = await entries({ target_id: id, action: 'user.update' });
    expect(now?.target?.email).toBe('hopper@filters.example');
  });

  it('are null for other targets, anonymous callers and the service itself', async () => {
    const id = await changed('Target', 'target@filters.example');
    const [created] = await entries({ target_id: id, action: 'user.create' });
    expect(created).toMatchObject({
      actor: { id: null, email: null },
      target: { email: 'target@filters.example' },
    });
    const [read] = await entries({ action: 'permission.check' });
    expect(read?.target).toMatchObject({ type: 'route', email: null });
  });

  it('are null for callers who may not read users, and those of deleted users for callers without users:delete', async () => {
    const id = await changed('Hidden', 'hidden@filters.example');
    const query = { target_id: id, action: 'user.update' };
    expect(await entries(query, blind)).toMatchObject([
      { actor: { email: null }, target: { id, email: null } },
    ]);
    await app.as(app.admin, 'delete', `/api/users/${id}`).expect(204);
    expect(await entries(query)).toMatchObject([
      { actor: { email: app.admin.email }, target: { id, email: null } },
    ]);
    expect(await entries(query, deleter)).toMatchObject([{ target: { email: 'hidden@filters.example' } }]);
    await app.as(app.admin, 'post', `/api/users/${id}/erase`).expect(202);
    expect(await entries(query, deleter)).toMatchObject([{ target: { id, email: null } }]);
  });

  it('are in an export for the same callers, as of sending', async () => {
    const id = await changed('Sent', 'sent@filters.example');
    const query = `target_id=${id}&action=user.update`;
    const targetOf = (row: string) => (JSON.parse(row) as EntryBody).target;
    const lines = linesOf((await exported(`format=ndjson&${query}`, app.admin)).text).rows;
    expect(lines.map(targetOf)).toEqual([{ type: 'user', id, email: 'sent@filters.example' }]);
    const events = eventsOf((await exported(query, blind)).text).filter(({ event }) => event === 'entry');
    expect(events.map(({ data }) => targetOf(data))).toEqual([{ type: 'user', id, email: null }]);
  });

  it("are the person's own in the data package, and null for others", async () => {
    const owner = await app.createUser();
    await app.as(app.admin, 'patch', `/api/users/${owner.id}`).send({ name: 'Packed' }).expect(200);
    const { body } = await app.as(owner, 'get', `/api/users/${owner.id}/data`).expect(200);
    const update = (body as { audit_entries: EntryBody[] }).audit_entries.find(
      ({ action }) => action === 'user.update',
    );
    expect(update).toMatchObject({
      actor: { id: app.admin.id, email: null },
      target: { email: owner.email },
    });
  });
});
