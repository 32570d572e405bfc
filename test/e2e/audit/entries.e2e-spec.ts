import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type EntryBody, readEntries, sealed } from '../../support/builders/audit.js';
import { TestApp } from '../../support/app/test-app.js';
import { createUserWith, NOBODY, nextPage, signUp } from '../../support/builders/users.js';

let app: TestApp;
beforeAll(async () => {
  app = await TestApp.create();
});
afterAll(() => app?.close());

const entries = (query: Record<string, string>) => readEntries(app, app.admin, query);

describe('the audit log', () => {
  it('records the actor, the old and new values, and the request origin of a change', async () => {
    const { id } = await signUp(app, 'Ada', 'ada@audit.example');
    const changed = await app
      .as(app.admin, 'patch', `/api/users/${id}`)
      .set('User-Agent', 'tests/1.0')
      .set('traceparent', '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01')
      .send({ name: 'Ada L', status: 'disabled' });
    const [disabled, renamed, created] = await entries({ target_id: id });
    expect(created).toMatchObject({
      actor: { type: 'anonymous', id: null, session_id: null },
      action: 'user.create',
      outcome: 'success',
      changes: { email: { from: null, to: 'ada@audit.example' }, roles: { from: null, to: ['user'] } },
    });
    expect(renamed).toMatchObject({
      actor: { type: 'user', id: app.admin.id },
      action: 'user.update',
      target: { type: 'user', id },
      changes: { name: { from: 'Ada', to: 'Ada L' } },
      ip: '127.0.0.1',
      user_agent: 'tests/1.0',
      request_id: changed.get('X-Request-Id'),
      trace_id: '4bf92f3577b34da6a3ce929d0e0e4736',
    });
    expect(disabled).toMatchObject({
      action: 'user.disable',
      changes: { status: { from: 'active', to: 'disabled' } },
    });
    const one = await app.as(app.admin, 'get', `/api/audit/${disabled?.id}`);
    expect(one.body).toEqual(disabled);
  });

  it('records actions of the service itself', async () => {
    const [created] = await entries({ target_id: app.admin.id, action: 'user.create' });
    expect(created).toMatchObject({ actor: { type: 'system', id: null }, ip: null, request_id: null });
  });

  it('records each permission refusal, even one that looks like a 404 or happens inside the change', async () => {
    const nobody = await app.createUser();
    const granter = await createUserWith(app, ['roles:grant']);
    await app.as(nobody, 'get', '/api/users');
    await app.as(nobody, 'get', `/api/users/${app.admin.id}`);
    const raised = await app
      .as(granter, 'put', `/api/users/${nobody.id}/roles`)
      .set('If-Match', '*')
      .send({ roles: ['admin', 'user'] });
    expect(raised.status).toBe(403);
    const denied = await entries({ action: 'permission.check', outcome: 'denied' });
    expect(denied.slice(0, 3).map(({ actor, target }) => [actor.id, target?.id])).toEqual([
      [granter.id, 'PUT /api/users/:id/roles'],
      [nobody.id, 'GET /api/users/:id'],
      [nobody.id, 'GET /api/users'],
    ]);
  });

  it('records each read of itself', async () => {
    const auditor = await app.createUser(['auditor', 'user']);
    const answer = await app.as(auditor, 'get', '/api/audit');
    const [read] = await entries({ action: 'audit.read', actor_id: auditor.id });
    expect(read?.request_id).toBe(answer.get('X-Request-Id'));
    await sealed(app, [read?.id ?? '']);
    await app.as(auditor, 'get', `/api/audit/${read?.id}/proof`).expect(200);
    expect((await entries({ action: 'audit.read', actor_id: auditor.id }))[0]).toMatchObject({
      target: { type: 'audit_entry', id: read?.id },
    });
  });

  it('pages through a filter newest first, returns each entry once, and counts exactly', async () => {
    const actor = await app.createUser();
    for (let n = 0; n < 7; n++) {
      await app.as(actor, 'patch', '/api/users/me').send({ name: `Name ${n}` });
    }
    const found: EntryBody[] = [];
    let pages = 0;
    for (
      let next: string | null = `/api/audit?actor_id=${actor.id}&action=user.update&limit=3`;
      next !== null;
    ) {
      const answer = await app.as(app.admin, 'get', next);
      found.push(...(answer.body as EntryBody[]));
      next = nextPage(answer);
      pages++;
    }
    expect(pages).toBe(3);
    expect(found.map(({ changes }) => (changes as { name: { to: string } }).name.to)).toEqual(
      [6, 5, 4, 3, 2, 1, 0].map((n) => `Name ${n}`),
    );
    const query = { actor_id: actor.id, action: 'user.update', total: 'estimate' };
    const estimated = await app.as(app.admin, 'get', '/api/audit').query(query);
    expect(estimated.get('X-Total-Estimate')).toBe('7');
    const [newest, , , oldest] = found;
    expect(
      await entries({
        actor_id: actor.id,
        action: 'user.update',
        from: oldest?.occurred_at ?? '',
        to: newest?.occurred_at ?? '',
      }),
    ).toEqual(found.slice(1, 4));
  });

  it.each([
    ['actor_id', 'nonsense'],
    ['target_id', ''],
    ['action', 'user.nonsense'],
    ['outcome', 'nonsense'],
    ['from', 'yesterday'],
    ['to', '2026-13-01T00:00:00Z'],
    ['to', '2026-01-01T24:00:00Z'],
    ['from', '9999-12-31T23:59:59-00:01'],
    ['from', '0001-01-01T00:00:00+23:59'],
  ])('rejects %s=%s', async (field, value) => {
    const answer = await app.as(app.admin, 'get', '/api/audit').query({ [field]: value });
    expect(answer.body).toMatchObject({ error: { code: 'VALIDATION_ERROR', details: [{ field }] } });
  });

  it('rejects a range that ends before it starts', async () => {
    const query = { from: '2026-01-02T00:00:00Z', to: '2026-01-02T00:00:00+01:00' };
    const answer = await app.as(app.admin, 'get', '/api/audit').query(query);
    expect(answer.body).toMatchObject({ error: { code: 'VALIDATION_ERROR', details: [{ field: 'to' }] } });
  });

  it.each(['2026-01-01T00:00:00+23:59', '2026-01-01T00:00:00-18:00', '2026-01-01t00:00:00.123456789z'])(
    'accepts %s as a time',
    async (from) => {
      await app.as(app.admin, 'get', '/api/audit').query({ from }).expect(200);
    },
  );

  it('returns 404 for an unknown id', async () => {
    expect((await app.as(app.admin, 'get', `/api/audit/${NOBODY}`)).status).toBe(404);
  });
});
