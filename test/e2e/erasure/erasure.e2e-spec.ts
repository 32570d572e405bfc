import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Response } from 'supertest';
import { UsersRepository } from '../../../src/modules/users/users.repository.js';
import { NotificationsService } from '../../../src/platform/database/listen/notifications.service.js';
import { TaskQueue } from '../../../src/platform/queue/task.queue.js';
import { Mailer } from '../../../src/platform/mail/mailer.service.js';
import { sealed } from '../../support/builders/audit.js';
import { settled } from '../../support/app/settled.js';
import { TcpProxy } from '../../support/faults/tcp-proxy.js';
import { type TestUser, PASSWORD, signIn, TestApp } from '../../support/app/test-app.js';
import { filesHolding, tablesHolding } from '../../support/database/traces.js';
import { until } from '../../support/app/until.js';
import { createUserWith, nextPage, NOBODY, read, signUp } from '../../support/builders/users.js';

const DATA_DIR = mkdtempSync(join(tmpdir(), 'gatehouse-erasures-'));

let app: TestApp;
let deleter: TestUser;
beforeAll(async () => {
  app = await TestApp.create({ config: { DATA_DIR, TRUSTED_PROXIES: ['127.0.0.1'] } });
  deleter = await createUserWith(app, ['users:delete']);
});
afterAll(async () => {
  await app?.close();
  rmSync(DATA_DIR, { recursive: true });
});

const erase = (id: string, caller = deleter) => app.as(caller, 'post', `/api/users/${id}/erase`);
const remove = (id: string) => app.as(app.admin, 'delete', `/api/users/${id}`).expect(204);
const jobsLeft = async (): Promise<number> => {
  const rows = await app.database.query(
    'SELECT 1 FROM graphile_worker._private_jobs WHERE attempts < max_attempts',
  );
  return rows.length;
};
const jobsDone = () => until(async () => (await jobsLeft()) === 0);

/** Returns all pages of a list, as an administrator sees them. */
async function pages(path: string): Promise<string> {
  let text = '';
  for (let next: string | null = path; next !== null;) {
    const answer: Response = await app.as(app.admin, 'get', next);
    text += `${answer.text}\n`;
    next = answer.status === 200 ? nextPage(answer) : null;
  }
  return text.toLowerCase();
}

describe('an erased user', () => {
  const email = 'Zebulon.7f3a@erasure-proof.example';
  const other = 'also.7f3a@erasure-proof.example';
  const name = 'Zebulon Markerton';
  const renamed = 'Zebediah Markerton';
  const device = 'MarkerBrowser/7f3a';
  const ip = '198.51.100.213';
  const owned = { type: 'house', name: 'Markerton Hall', external_id: 'deed-7f3a' };
  const given = { type: 'boat', name: 'Heirloom 7f3a', external_id: 'keel-7f3a' };
  const values = [email, other, name, renamed, 'zebulon', 'zebediah', 'markerton', device, ip, 'deed-7f3a'];
  let id: string;
  let ownedId: string;
  let givenId: string;
  let wrapped: Buffer;
  let hash: string;

  /** Sends the request as the user, from a device and address of the user's own. */
  const from = <T extends { set(headers: object): T }>(request: T): T =>
    request.set({ 'User-Agent': device, 'X-Forwarded-For': ip });

  const signUpOnce = () =>
    from(app.request('post', '/api/users'))
      .set('Idempotency-Key', 'sign-up-7f3a')
      .send({ email, name, password: PASSWORD });

  async function live(): Promise<void> {
    const created = await signUpOnce();
    ({ id } = created.body as { id: string });
    await from(app.request('post', '/api/auth/login')).send({ email, password: 'not this one' }).expect(401);
    const answer = await from(app.request('post', '/api/auth/login')).send({ email, password: PASSWORD });
    const { access_token: token } = answer.body as { access_token: string };
    const owner = { id, email, token };
    await from(app.as(owner, 'patch', '/api/users/me'))
      .send({ name: renamed })
      .expect(200);
    await from(app.as(owner, 'post', '/api/users/me/email'))
      .send({ new_email: other, password: PASSWORD })
      .expect(202);
    await app.as(app.admin, 'patch', `/api/users/${id}`).send({ name }).expect(200);
    const make = async (resource: object) =>
      ((await from(app.as(owner, 'post', '/api/resources')).send(resource)).body as { id: string }).id;
    [ownedId, givenId] = [await make(owned), await make(given)];
    await from(app.as(owner, 'post', '/api/resources/transfer'))
      .send({ to_user_id: deleter.id, resource_ids: [givenId] })
      .expect(200);
  }

  beforeAll(async () => {
    await live();
    // The planner keeps its samples, whatever happens to the rows.
    await app.database.query('ANALYZE');
    const [secrets] = await app.database.query<{ wrapped: Buffer; hash: string }>(
      'SELECT wrapped, password_hash AS hash FROM account_keys JOIN users ON id = user_id WHERE id = $1',
      [id],
    );
    ({ wrapped, hash } = secrets ?? { wrapped: Buffer.alloc(0), hash: '' });
    const before = await tablesHolding(app.database, values);
    expect(before.toSorted()).toEqual([
      'one_time_tokens',
      'pg_statistic',
      'resources',
      'sessions',
      'user_images',
      'users',
    ]);
    const files = await filesHolding(app.database, [email.toLowerCase()]);
    const [file] = await app.database.query<{ path: string }>(
      `SELECT pg_relation_filepath('users_by_email') AS path`,
    );
    expect(files).toContain(file?.path.split('/').at(-1));
    expect(await filesHolding(app.database, [wrapped])).toHaveLength(1);

    await remove(id);
    await jobsDone();
    const answer = await erase(id);
    expect([answer.status, answer.text]).toEqual([202, '']);
    await jobsDone();
  });

  it('leaves no personal data in any table or planner statistics', async () => {
    expect(await tablesHolding(app.database, [...values, hash])).toEqual([]);
    const [row] = await app.database.query('SELECT * FROM users WHERE id = $1', [id]);
    expect(row).toMatchObject({
      email: `erased:${id}`,
      email_key: `erased:${id}`,
      name: '',
      name_key: '',
      search_key: '',
      password_hash: null,
      roles: ['user'],
      last_login_at: null,
      status: 'deleted',
    });
  });

  it('leaves no personal data and no key in the data files after a vacuum', async () => {
    const traces = [...values, email.toLowerCase(), hash, wrapped];
    await until(async () => (await filesHolding(app.database, traces)).length === 0);
  });

  it('leaves an audit log and events that verify, with ids and without personal data', async () => {
    const rows = await app.database.query<{ id: string }>('SELECT id FROM audit_entries');
    await sealed(
      app,
      rows.map((row) => row.id),
    );
    const verdict = await app.as(app.admin, 'post', '/api/audit/verify').send({});
    expect(verdict.body).toMatchObject({ valid: true });
    await settled(app.database);
    const feed = await app.as(app.admin, 'get', '/api/events?limit=100');
    const own = (feed.body as { subject: string; type: string; data: unknown }[]).filter(
      ({ subject }) => subject === id,
    );
    expect(own.map((each) => each.type)).toEqual([
      'user.created',
      'session.started',
      'user.updated',
      'user.updated',
      'resource.created',
      'resource.created',
      'ownership.transferred',
      'user.deleted',
      'session.revoked',
      'user.erased',
    ]);
    expect(own.every(({ data }) => data === null)).toBe(true);
    const entries = (await app.as(app.admin, 'get', `/api/audit?target_id=${id}&limit=100`)).body as object[];
    expect(entries[0]).toMatchObject({
      action: 'user.erase',
      outcome: 'success',
      changes: null,
      actor: { id: deleter.id },
    });
    expect(entries.at(-1)).toMatchObject({
      action: 'user.create',
      changes: null,
      ip: null,
      user_agent: null,
    });
  });

  it('leaves owned resources without their names, and earlier transferred ones unchanged with the new owner', async () => {
    const seen = async (resource: string) =>
      (await app.as(app.admin, 'get', `/api/resources/${resource}`).expect(200)).body as object;
    expect(await seen(ownedId)).toMatchObject({
      type: 'house',
      name: 'erased',
      external_id: null,
      owner_id: id,
      version: 2,
    });
    expect(await seen(givenId)).toMatchObject({ ...given, owner_id: deleter.id, version: 2 });
    // Only the row of the current owner holds that name in plain text. History encrypts it under the
    // destroyed key.
    expect(await tablesHolding(app.database, [given.name, given.external_id])).toEqual(['resources']);
    for (const resource of [ownedId, givenId]) {
      const path = `/api/audit?action=resource.create&target_id=${resource}`;
      expect((await app.as(app.admin, 'get', path)).body).toMatchObject([{ changes: null }]);
    }
    const move = { from_user_id: id, to_user_id: deleter.id, resource_ids: [ownedId] };
    await app.as(app.admin, 'post', '/api/resources/transfer').send(move).expect(200);
    expect(await seen(ownedId)).toMatchObject({ name: 'erased', owner_id: deleter.id, version: 3 });
  });

  it('appears in no response to any caller', async () => {
    const lists = [
      '/api/resources',
      '/api/users',
      '/api/users?status=deleted&sort=email',
      '/api/users?status=deleted&search=zeb',
      '/api/users?search=erased',
    ];
    let text = '';
    for (const path of [...lists, '/api/events', '/api/audit']) text += await pages(path);
    for (const value of [...values, 'erased:']) expect(text).not.toContain(value.toLowerCase());
    const listed = await Promise.all(lists.map((path) => pages(path)));
    for (const list of listed) expect(list).not.toContain(id);
    const total = await app.as(app.admin, 'get', '/api/users?status=deleted&total=exact');
    expect([total.body, total.get('X-Total-Count')]).toEqual([[], '0']);
    const estimate = await app.as(app.admin, 'get', '/api/users?status=deleted&total=estimate');
    expect(estimate.get('X-Total-Estimate')).toBe('0');
  });

  it('returns 404 to everyone on every route, and cannot be restored or erased again', async () => {
    const path = `/api/users/${id}`;
    for (const [method, route, body] of [
      ['get', path],
      ['get', `${path}?at=${new Date().toISOString()}`],
      ['get', `${path}/events`],
      ['get', `${path}/data`],
      ['get', `${path}/sessions`],
      ['delete', `${path}/sessions`],
      ['patch', path, { name: 'Back' }],
      ['put', `${path}/roles`, { roles: ['user'] }],
      ['delete', path],
      ['post', `${path}/restore`],
      ['post', `${path}/erase`],
    ] as const) {
      const answer = await app.as(app.admin, method, route).set('If-Match', '*').send(body);
      expect([method, route, answer.status]).toEqual([method, route, 404]);
    }
    for (const address of [email, `erased:${id}`]) {
      const answer = await app
        .request('post', '/api/auth/login')
        .send({ email: address, password: PASSWORD });
      expect([400, 401]).toContain(answer.status);
    }
  });

  it('appears in no replayed response, and the Idempotency-Key does not repeat the request', async () => {
    expect((await signUpOnce()).status).toBe(404);
    expect(await tablesHolding(app.database, [email])).toEqual([]);
  });

  it('has released the email address', async () => {
    const again = await signUp(app, 'Somebody Else', email);
    expect(again.id).not.toBe(id);
    await signIn(app.url, email, PASSWORD);
  });

  it('keeps no buffered sign-in time from before', async () => {
    await app.nest.get(UsersRepository).touchLastLogins(new Map([[id, new Date()]]));
    const [row] = await app.database.query('SELECT last_login_at FROM users WHERE id = $1', [id]);
    expect(row).toEqual({ last_login_at: null });
  });

  it('receives no queued mail', async () => {
    const { sent } = app.nest.get(Mailer);
    const mail = { to: 'waiting@erasure-proof.example', subject: 'Late', text: 'late' };
    await app.nest.get(TaskQueue).enqueue('mail.send', { ...mail, userId: id });
    await app.nest
      .get(TaskQueue)
      .enqueue('mail.send', { ...mail, to: 'alive@erasure-proof.example', userId: deleter.id });
    await jobsDone();
    expect(sent.filter(({ subject }) => subject === 'Late').map(({ to }) => to)).toEqual([
      'alive@erasure-proof.example',
    ]);
  });
});

describe('POST /api/users/{id}/erase', () => {
  it('returns 409 for a user who is not deleted, and changes nothing', async () => {
    const { id } = await app.createUser();
    const before = await read(app, id);
    const answer = await erase(id);
    expect(answer.status).toBe(409);
    expect(answer.body).toMatchObject({ error: { code: 'CONFLICT' } });
    expect(await read(app, id)).toEqual(before);
  });

  it('requires users:delete, and returns 404 for an unknown user and 400 for an invalid id', async () => {
    const { id } = await app.createUser();
    await remove(id);
    const writer = await createUserWith(app, ['users:read', 'users:write', 'roles:grant']);
    expect((await erase(id, writer)).status).toBe(403);
    expect((await erase(NOBODY)).status).toBe(404);
    expect((await erase('no-id')).status).toBe(400);
    expect(await read(app, id)).toMatchObject({ status: 'deleted' });
  });

  describe('on another instance that has cached the key', () => {
    let path: TcpProxy;
    let there: TestApp;
    beforeAll(async () => {
      path = await TcpProxy.before(app.database.serviceUrl);
      there = await TestApp.create({
        database: app.database,
        config: { LISTEN_DATABASE_URL: path.through(app.database.serviceUrl) },
      });
    });
    afterAll(async () => {
      await there.close();
      await path.cut();
    });

    /** Returns the data of the `user.created` event as the other instance decrypts it. */
    async function dataThere(id: string): Promise<object | null | undefined> {
      await settled(app.database);
      const answer = await there.as(there.admin, 'get', '/api/events?type=user.created&limit=100');
      const events = answer.body as { subject: string; data: object | null }[];
      return events.find(({ subject }) => subject === id)?.data;
    }

    it('takes effect within a second, so that the instance decrypts nothing', async () => {
      const { id } = await app.createUser(['user'], 'Known There');
      await until(async () => (await dataThere(id)) != null);
      await remove(id);
      await erase(id).expect(202);
      await until(async () => (await dataThere(id)) === null, 1000, 'the other instance forgets the key');
    });

    it('takes effect once the instance is connected again, if it missed the notification', async () => {
      const { id } = await app.createUser(['user'], 'Known There');
      const { lease } = there.nest.get(NotificationsService);
      await until(() => lease.isValid);
      expect(await dataThere(id)).toMatchObject({});
      await path.cut();
      await until(() => !lease.isValid);
      // No request reaches the other instance meanwhile, so that only the lost connection can make it look
      // again.
      await remove(id);
      await erase(id).expect(202);
      await path.restore();
      await until(() => lease.isValid);
      expect(await dataThere(id)).toBeNull();
    });
  });

  it('erases once, however many requests arrive at once, with one event', async () => {
    const { id } = await app.createUser();
    await remove(id);
    const answers = await Promise.all(Array.from({ length: 6 }, () => erase(id)));
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([
      202, 404, 404, 404, 404, 404,
    ]);
    const events = await app.database.query(
      `SELECT stream_version AS version FROM events WHERE stream = $1 AND type = 'user.erased'`,
      [id],
    );
    expect(events).toEqual([{ version: 3 }]);
  });
});
