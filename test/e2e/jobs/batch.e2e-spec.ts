import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { Permission } from '../../../src/common/authorization/permissions.js';
import { permissions } from '../../../src/modules/permissions.js';
import type { UserActionName } from '../../../src/modules/user-batches/user-action.types.js';
import { HeldLock } from '../../support/database/held-lock.js';
import { batch, jobEnded, readJob, resultsOf, startBatch } from '../../support/builders/jobs.js';
import { receivers } from '../../support/builders/resources.js';
import { type TestUser, TestApp } from '../../support/app/test-app.js';
import { until } from '../../support/app/until.js';
import { createUserWith, NOBODY, read } from '../../support/builders/users.js';

let app: TestApp;
let held: HeldLock | null = null;
beforeAll(async () => {
  app = await TestApp.create();
});
afterEach(() => held?.release());
afterAll(() => app.close());

const eventsOf = async (ids: readonly string[]): Promise<string[]> => {
  const rows = await app.database.query<{ type: string }>(
    'SELECT type FROM events WHERE subject = ANY ($1) ORDER BY epoch, xid, seq',
    [ids],
  );
  return rows.map(({ type }) => type);
};
const oks = (ids: readonly string[]) => ids.map((id, index) => ({ index, id, status: 'ok' }));
const post = (by: TestUser, body: object) => app.as(by, 'post', '/api/users/batch').send(body);
const people = (count: number) => receivers(app.database, count);
/** Locks these users, so that every change to them waits. */
const hold = async (ids: readonly string[]): Promise<HeldLock> => {
  held = await HeldLock.take(app.database.url, 'SELECT 1 FROM users WHERE id = ANY ($1) FOR UPDATE', [ids]);
  return held;
};

describe('a batch of users', () => {
  it('returns 202 with the job and its Location, finishes soon, and reports row by row', async () => {
    const ids = await people(3);
    const answer = await post(app.admin, { action: 'disable', user_ids: [...ids, NOBODY] });
    expect(answer.status).toBe(202);
    const { id } = answer.body as { id: string };
    expect(answer.get('Location')).toBe(`/api/jobs/${id}`);
    expect(answer.body).toEqual({
      id,
      type: 'users.disable',
      dry_run: false,
      status: 'queued',
      total: 4,
      done: 0,
      failed: 0,
      created_at: expect.any(String),
      started_at: null,
      finished_at: null,
    });
    expect(await jobEnded(app, id)).toMatchObject({ status: 'succeeded', total: 4, done: 3, failed: 1 });
    expect(await resultsOf(app, id)).toEqual([
      ...oks(ids),
      {
        index: 3,
        id: NOBODY,
        status: 'failed',
        error: { code: 'NOT_FOUND', message: 'Not found' },
      },
    ]);
    expect(await eventsOf(ids)).toHaveLength(3);
    for (const each of ids) expect(await read(app, each)).toMatchObject({ status: 'disabled' });
  });

  it('performs each action like the corresponding single request', async () => {
    const { id } = await app.createUser();
    const done = async (action: UserActionName, role?: string) => {
      const { results } = await batch(app, { action, user_ids: [id], ...(role !== undefined && { role }) });
      expect(results).toEqual(oks([id]));
      const { status, roles } = await read(app, id);
      return [status, roles, (await eventsOf([id])).at(-1)];
    };
    expect(await done('grant_role', 'premium')).toEqual([
      'active',
      ['premium', 'user'],
      'user.roles_changed',
    ]);
    expect(await done('revoke_role', 'premium')).toEqual(['active', ['user'], 'user.roles_changed']);
    expect(await done('revoke_sessions')).toEqual(['active', ['user'], 'session.revoked']);
    expect(await done('disable')).toEqual(['disabled', ['user'], 'user.disabled']);
    expect(await done('enable')).toEqual(['active', ['user'], 'user.enabled']);
    expect(await done('delete')).toEqual(['deleted', ['user'], 'user.deleted']);
    expect(await done('restore')).toEqual(['active', ['user'], 'user.restored']);
    const before = await eventsOf([id]);
    // An action without effect changes nothing and emits no event.
    expect(await done('revoke_role', 'premium')).toEqual(['active', ['user'], 'user.restored']);
    expect(await eventsOf([id])).toEqual(before);
  });

  it('keeps only the reason of a refused row', async () => {
    const [id = ''] = await people(1);
    const refused = async (body: { action: UserActionName; user_ids: string[]; role?: string }) =>
      (await batch(app, body)).results.map(({ error }) => error?.code);
    expect(await refused({ action: 'restore', user_ids: [id] })).toEqual(['CONFLICT']);
    expect(await refused({ action: 'revoke_role', user_ids: [id], role: 'user' })).toEqual(['CONFLICT']);
    expect(await refused({ action: 'disable', user_ids: [app.admin.id] })).toEqual(['CONFLICT']);
    expect(await refused({ action: 'revoke_sessions', user_ids: [NOBODY] })).toEqual(['NOT_FOUND']);
    expect(await eventsOf([id])).toEqual([]);
    expect(await read(app, id)).toMatchObject({ version: 1, roles: ['user'] });
  });

  it('reports in a dry run what would happen, and changes nothing', async () => {
    const ids = await people(2);
    const [before] = await app.database.query('SELECT count(*) FROM audit_entries');
    const who = [...ids, NOBODY];
    const { job, results } = await batch(app, {
      action: 'grant_role',
      role: 'premium',
      user_ids: who,
      dry_run: true,
    });
    expect(job).toMatchObject({ dry_run: true, status: 'succeeded', done: 2, failed: 1 });
    expect(results.map(({ status, error }) => error?.code ?? status)).toEqual(['ok', 'ok', 'NOT_FOUND']);
    expect(await eventsOf(ids)).toEqual([]);
    for (const id of ids) expect(await read(app, id)).toMatchObject({ version: 1, roles: ['user'] });
    // The job's creation was audited, and nothing of the dry run.
    const [after] = await app.database.query('SELECT count(*) - 1 AS count FROM audit_entries');
    expect(after).toEqual(before);
  });

  it('runs as the user who requested it: the audit log names the user and the job', async () => {
    const [id = ''] = await people(1);
    const { job } = await batch(app, { action: 'disable', user_ids: [id] });
    const entriesOf = async (target: string) =>
      (await app.as(app.admin, 'get', `/api/audit?target_id=${target}`)).body as Record<string, unknown>[];
    const actor = { type: 'user', id: app.admin.id, session_id: expect.any(String) };
    expect(await entriesOf(id)).toMatchObject([
      { action: 'user.disable', actor, request_id: job.id, ip: null, outcome: 'success' },
    ]);
    const made = { dry_run: { from: null, to: false }, total: { from: null, to: 1 } };
    expect(await entriesOf(job.id)).toMatchObject([{ action: 'job.create', actor, changes: made }]);
  });

  it('is one job, however often one Idempotency-Key is sent', async () => {
    const ids = await people(1);
    const ask = () =>
      post(app.admin, { action: 'disable', user_ids: ids }).set('Idempotency-Key', 'one-batch');
    const [first, again] = [await ask(), await ask()];
    expect(again.body).toEqual(first.body);
    expect(again.get('Location')).toBe(first.get('Location'));
    await jobEnded(app, (first.body as { id: string }).id);
    expect(await eventsOf(ids)).toEqual(['user.disabled']);
  });
});

describe('a batch request', () => {
  const needs: readonly (readonly [UserActionName, Permission, { role?: string }])[] = [
    ['enable', 'users:write', {}],
    ['disable', 'users:write', {}],
    ['delete', 'users:delete', {}],
    ['restore', 'users:delete', {}],
    ['grant_role', 'roles:grant', { role: 'user' }],
    ['revoke_role', 'roles:grant', { role: 'user' }],
    ['revoke_sessions', 'sessions:revoke', {}],
    ['send_reset', 'users:write', {}],
    ['send_invitation', 'users:write', {}],
  ];

  it.each(needs)('with action %s requires %s', async (action, permission, more) => {
    const body = { action, user_ids: [NOBODY], ...more };
    const without = await createUserWith(
      app,
      permissions.filter((each) => each !== permission),
    );
    expect(await post(without, body)).toMatchObject({ status: 403 });
    const answer = await post(await createUserWith(app, [permission]), body);
    expect(answer.status).toBe(202);
    await jobEnded(app, (answer.body as { id: string }).id);
  });

  it('is refused to callers without any of the permissions, whatever the body', async () => {
    expect(await post(await app.createUser(), { wrong: true })).toMatchObject({ status: 403 });
    expect(await post(await createUserWith(app, ['users:read', 'jobs:manage']), {})).toMatchObject({
      status: 403,
    });
  });

  it("does not allow granting a role with more permissions than the caller's", async () => {
    const granter = await createUserWith(app, ['roles:grant']);
    const body = { action: 'grant_role', role: 'admin', user_ids: [NOBODY] };
    expect(await post(granter, body)).toMatchObject({ status: 403 });
  });

  it.each([
    ['an unknown action', { action: 'erase' }],
    ['no user', { user_ids: [] }],
    [
      'too many users',
      {
        user_ids: Array.from(
          { length: 10_001 },
          (_, n) => `${NOBODY.slice(0, 24)}${String(n).padStart(12, '0')}`,
        ),
      },
    ],
    ['a duplicate user', { user_ids: [NOBODY, NOBODY.toUpperCase()] }],
    ['an invalid id', { user_ids: ['1'] }],
    ['a role that the action does not take', { role: 'premium' }],
    ['a missing role', { action: 'revoke_role' }],
    ['an unknown role', { action: 'grant_role', role: 'nothing' }],
    ['a dry_run that is not a boolean', { dry_run: 'false' }],
    ['an unknown property', { more: 1 }],
  ])('returns 400 for %s', async (_, wrong) => {
    const answer = await post(app.admin, { action: 'enable', user_ids: [NOBODY], ...wrong });
    expect(answer).toMatchObject({ status: 400, body: { error: { code: 'VALIDATION_ERROR' } } });
  });
});

describe('the rows of batches', () => {
  it('run ten at a time over all jobs together, while requests are served', async () => {
    const ids = await people(40);
    const lock = await hold(ids);
    const halves = [ids.slice(0, 20), ids.slice(20)];
    const jobs = await Promise.all(
      halves.map((half) => startBatch(app, { action: 'disable', user_ids: half })),
    );
    await until(async () => (await lock.waiting()) === 10);
    for (const job of jobs) await until(async () => (await readJob(app, job.id)).status === 'running');
    for (let n = 0; n < 50; n++) expect((await read(app, ids[n % 40] ?? '')).status).toBe('active');
    expect(await lock.waiting()).toBe(10);
    await lock.release();
    for (const { id } of jobs)
      expect(await jobEnded(app, id)).toMatchObject({ status: 'succeeded', done: 20 });
  });

  it('do not block requests', async () => {
    const ids = await people(200);
    const { id } = await startBatch(app, { action: 'disable', user_ids: ids });
    let served = 0;
    while ((await readJob(app, id)).finished_at === null) {
      await read(app, ids[served++ % ids.length] ?? '');
    }
    expect(served).toBeGreaterThan(0);
    expect(await readJob(app, id)).toMatchObject({ status: 'succeeded', total: 200, done: 200, failed: 0 });
  });

  it.each([
    ['is disabled', 'patch', '', { status: 'disabled' }],
    ['loses the permission', 'put', '/roles', { roles: ['user'] }],
  ] as const)('fail from the moment when the requesting user %s', async (_, method, path, body) => {
    const asker = await createUserWith(app, ['users:write']);
    const ids = await people(30);
    const lock = await hold(ids.slice(0, 10));
    const { id } = await startBatch(app, { action: 'disable', user_ids: ids }, asker);
    await until(async () => (await lock.waiting()) === 10);
    await app
      .as(app.admin, method, `/api/users/${asker.id}${path}`)
      .set('If-Match', '*')
      .send(body)
      .expect(200);
    // Each instance caches permissions for half a second.
    const since = performance.now();
    await until(() => performance.now() - since > 600);
    await lock.release();
    expect(await jobEnded(app, id)).toMatchObject({ status: 'succeeded', done: 10, failed: 20 });
    const results = await resultsOf(app, id);
    expect(results.slice(0, 10)).toEqual(oks(ids.slice(0, 10)));
    expect(new Set(results.slice(10).map(({ error }) => error?.code))).toEqual(new Set(['FORBIDDEN']));
    expect(await eventsOf(ids.slice(10))).toEqual([]);
  });

  it('each run exactly once although their connections break', async () => {
    const ids = await people(300);
    const { id } = await startBatch(app, { action: 'disable', user_ids: ids });
    for (let time = 0; time < 5; time++) {
      await until(async () => (await readJob(app, id).catch(() => null))?.finished_at !== undefined);
      await app.database.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND application_name = 'gatehouse' AND pid <> pg_backend_pid()`,
      );
    }
    const ended = async () => (await readJob(app, id).catch(() => null))?.status === 'succeeded';
    await until(ended);
    expect(await resultsOf(app, id)).toEqual(oks(ids));
    expect(await readJob(app, id)).toMatchObject({ done: 300, failed: 0 });
    expect(await eventsOf(ids)).toEqual(ids.map(() => 'user.disabled'));
  });
});
