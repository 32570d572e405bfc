import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { hash as bcrypt } from 'bcrypt';
import { newId } from '../../../src/common/ids.js';
import { Cipher } from '../../../src/platform/crypto/cipher.service.js';
import { imported, ndjson, NDJSON, sendFile } from '../../support/builders/imports.js';
import { jobEnded, type ResultBody, resultsOf } from '../../support/builders/jobs.js';
import { mailsSent, mailsTo } from '../../support/builders/mails.js';
import { signIn, type TestUser, TestApp } from '../../support/app/test-app.js';
import { eventsOf } from '../../support/builders/events.js';
import { createUserWith, read } from '../../support/builders/users.js';

let app: TestApp;
beforeAll(async () => {
  app = await TestApp.create();
});
afterAll(() => app?.close());

const importAs = (query: string, rows: readonly object[], by?: TestUser) =>
  imported(app, NDJSON, ndjson(...rows), by, query);
/** Imports one row, and returns its result. */
const importOne = async (query: string, row: object, by?: TestUser) =>
  (await importAs(query, [row], by)).results[0];
const countRows = async (): Promise<number[]> => {
  const [row] = await app.database.query<{ counts: number[] }>(
    `SELECT ARRAY[(SELECT count(*) FROM users), (SELECT count(*) FROM events WHERE type LIKE 'user.%'),
                  (SELECT count(*) FROM audit_entries WHERE action LIKE 'user.%')]::integer[] AS counts`,
  );
  return row?.counts ?? [];
};
const eventTypesOf = async (id: string): Promise<string[]> =>
  (await eventsOf(app, id)).map(({ type }) => type);

describe('a dry run of an import', () => {
  it('tells what would happen to each row and writes nothing', async () => {
    const taken = await app.createUser();
    const before = await countRows();
    const rows = [
      { email: 'New@dry.example', roles: ['premium'] },
      { email: 'not an address' },
      { email: taken.email, name: 'Taken' },
      { email: 'role@dry.example', roles: ['no-such-role'] },
    ];
    const { job, results } = await importAs('?dry_run=true', rows);
    expect(job).toMatchObject({ status: 'succeeded', total: 4, done: 1, failed: 3 });
    expect(results).toMatchObject([
      { line: 1, email: 'New@dry.example', action: 'created', status: 'ok' },
      { line: 2, email: 'not an address', status: 'failed', error: { code: 'VALIDATION_ERROR' } },
      { line: 3, email: taken.email, status: 'failed', error: { code: 'CONFLICT' } },
      { line: 4, email: 'role@dry.example', status: 'failed', error: { code: 'VALIDATION_ERROR' } },
    ]);
    expect(results[0]).not.toHaveProperty('id');
    expect(await countRows()).toEqual(before);
    expect((await importAs('', rows.slice(0, 1))).job.done).toBe(1);
  });

  it('tells which users would be updated', async () => {
    const { id, email } = await app.createUser();
    const before = await read(app, id);
    const query = '?dry_run=true&on_conflict=update';
    expect(await importOne(query, { email, name: 'Other', status: 'disabled' })).toMatchObject({
      id,
      status: 'ok',
      action: 'updated',
    });
    expect(await read(app, id)).toEqual(before);
  });

  it('refuses other values', async () => {
    for (const query of ['?dry_run=yes', '?dry_run=', '?on_conflict=replace', '?unknown=1'])
      expect([query, (await sendFile(app, NDJSON, '{}', app.admin, query)).status]).toEqual([query, 400]);
  });
});

describe('an import that meets existing users', () => {
  it('skips them with on_conflict=skip, and leaves them unchanged', async () => {
    const { id, email } = await app.createUser();
    const before = await read(app, id);
    const { job, results } = await importAs('?on_conflict=skip', [
      { email: email.toUpperCase(), name: 'Other', roles: ['admin'] },
      { email: 'fresh@skip.example', name: 'Fresh' },
    ]);
    expect(job).toMatchObject({ status: 'succeeded', total: 2, done: 1, failed: 0 });
    expect(results).toMatchObject([
      { line: 1, id, email, action: 'skipped', status: 'skipped' },
      { line: 2, email: 'fresh@skip.example', action: 'created', status: 'ok' },
    ]);
    expect(await read(app, id)).toEqual(before);
    const skipped = await app.as(app.admin, 'get', `/api/jobs/${job.id}/results?status=skipped&total=exact`);
    expect([skipped.get('X-Total-Count'), (skipped.body as unknown[]).length]).toEqual(['1', 1]);
  });

  it('updates them with on_conflict=update, with events and audit entries and without mail', async () => {
    const { id, email, token } = await app.createUser();
    await mailsSent(app);
    const mails = mailsTo(app, email);
    const row = {
      email: email.toUpperCase(),
      name: 'Renamed',
      roles: ['user', 'premium'],
      status: 'disabled',
      email_verified: true,
      password_hash: await bcrypt('another password', 4),
      created_at: '2001-01-01T00:00:00Z',
    };
    const { job, results } = await importAs('?on_conflict=update', [row]);
    expect([job.done, results]).toMatchObject([1, [{ line: 1, id, email, action: 'updated', status: 'ok' }]]);
    const { created_at: createdAt, ...user } = await read(app, id);
    expect(user).toMatchObject({
      email,
      name: 'Renamed',
      roles: ['premium', 'user'],
      status: 'disabled',
      email_verified: true,
      version: 5,
    });
    expect(createdAt).not.toMatch(/^2001/);
    expect((await eventTypesOf(id)).slice(1)).toEqual([
      'session.started',
      'user.updated',
      'user.email_confirmed',
      'user.roles_changed',
      'user.disabled',
      'session.revoked',
    ]);
    const audit = await app.as(app.admin, 'get', `/api/audit?target_id=${id}&limit=100`);
    expect(audit.body).toEqual(
      expect.arrayContaining([
        expect.objectContaining({
          action: 'user.roles_change',
          request_id: job.id,
          actor: expect.objectContaining({ id: app.admin.id }),
        }),
      ]),
    );
    expect((await app.as({ id, email, token }, 'get', '/api/users/me')).status).toBe(401);
    await mailsSent(app);
    expect(mailsTo(app, email)).toEqual(mails);
  });

  it('leaves what the row does not give, and reports a user that needs no change', async () => {
    const { id, email } = await app.createUser(['user', 'premium'], 'Kept');
    const before = await read(app, id);
    const row = { email, email_verified: before.email_verified, name: null, roles: '' };
    expect(await importOne('?on_conflict=update', row)).toMatchObject({
      id,
      status: 'ok',
      action: 'unchanged',
    });
    expect(await read(app, id)).toEqual(before);
  });

  it('gives a password hash only to a user without a password', async () => {
    const hash = await bcrypt('the old password', 4);
    const email = 'hashless@update.example';
    await importOne('', { email, name: 'Hashless' });
    expect(await importOne('?on_conflict=update', { email, password_hash: hash })).toMatchObject({
      action: 'updated',
    });
    await signIn(app.url, email, 'the old password');
    const other = await bcrypt('a third password', 4);
    expect(await importOne('?on_conflict=update', { email, password_hash: other })).toMatchObject({
      action: 'unchanged',
    });
    await signIn(app.url, email, 'the old password');
    await expect(signIn(app.url, email, 'a third password')).rejects.toThrow('401');
  });

  it('takes back that an address is confirmed', async () => {
    const email = 'confirmed@update.example';
    const { id = '' } = (await importOne('', { email, email_verified: true })) ?? {};
    expect(await importOne('?on_conflict=update', { email, email_verified: 'no' })).toMatchObject({
      action: 'updated',
    });
    expect((await read(app, id)).email_verified).toBe(false);
    expect(await eventTypesOf(id)).toEqual(['user.created', 'user.email_unconfirmed']);
    const at = new Date().toISOString();
    expect((await app.as(app.admin, 'get', `/api/users/${id}?at=${at}`)).body).toMatchObject({
      email_verified: false,
      version: 2,
    });
  });

  it('refuses to change users and roles that the caller could not change in a single request', async () => {
    const writer = await createUserWith(app, ['users:write']);
    const plain = await app.createUser();
    const { results } = await importAs(
      '?on_conflict=update',
      [
        { email: app.admin.email, name: 'Not mine', status: 'disabled' },
        { email: plain.email, roles: ['user', 'premium'] },
        { email: 'new-admin@update.example', roles: ['admin'] },
        { email: plain.email, name: 'Renamed' },
      ],
      writer,
    );
    expect(results.map(({ status, error }) => error?.code ?? status)).toEqual([
      'FORBIDDEN',
      'FORBIDDEN',
      'FORBIDDEN',
      'ok',
    ]);
    expect(await read(app, plain.id)).toMatchObject({ name: 'Renamed', roles: ['user'] });
    expect((await read(app, app.admin.id)).status).toBe('active');
    const denied = `/api/audit?actor_id=${writer.id}&action=permission.check&outcome=denied`;
    expect((await app.as(app.admin, 'get', denied)).body).toHaveLength(1);
  });

  it('needs no permission for roles that stay the same', async () => {
    const writer = await createUserWith(app, ['users:write']);
    const { email } = await app.createUser(['user', 'premium']);
    expect(
      await importOne('?on_conflict=update', { email, name: 'New name', roles: ['premium', 'user'] }, writer),
    ).toMatchObject({ status: 'ok', action: 'updated' });
  });

  it('keeps the last administrator, and applies the other rows', async () => {
    const { email } = await app.createUser();
    const { results } = await importAs('?on_conflict=update', [
      { email: app.admin.email, status: 'disabled' },
      { email, name: 'After the refusal' },
    ]);
    expect(results.map(({ status, error }) => error?.code ?? status)).toEqual(['CONFLICT', 'ok']);
  });

  it.each(['fail', 'skip', 'update'])(
    'fails for the address of a deleted user with on_conflict=%s',
    async (policy) => {
      const { id, email } = await app.createUser();
      await app.as(app.admin, 'delete', `/api/users/${id}`).expect(204);
      const writer = await createUserWith(app, ['users:write']);
      const row = { email, name: 'Again' };
      expect(await importOne(`?on_conflict=${policy}`, row)).toMatchObject({ error: { code: 'CONFLICT' } });
      expect(await importOne(`?on_conflict=${policy}`, row, writer)).toMatchObject({
        error: { code: 'CONFLICT', message: 'line 1: This email address is taken' },
      });
      expect(await read(app, id)).toMatchObject({ name: 'Somebody', status: 'deleted' });
    },
  );

  it('runs a dry run and the import under different keys only', async () => {
    const send = (query: string) =>
      sendFile(app, NDJSON, ndjson({ email: 'keyed@update.example' }), app.admin, query).set(
        'Idempotency-Key',
        'one-key-for-both',
      );
    expect((await send('?dry_run=true')).status).toBe(202);
    expect((await send('?dry_run=true')).get('Idempotency-Replayed')).toBe('true');
    expect((await send('')).status).toBe(422);
  });
});

describe('the results of an import', () => {
  it('carry the line and the address, for callers who may read users', async () => {
    const manager = await createUserWith(app, ['jobs:manage']);
    const { job, results } = await imported(
      app,
      NDJSON,
      ndjson('', { email: 'Line@result.example', name: 'Line' }, '', {
        email: 'bad@result.example',
        status: 'odd',
      }),
    );
    expect(results).toMatchObject([
      { index: 0, line: 2, email: 'Line@result.example', action: 'created', status: 'ok' },
      { index: 1, line: 4, email: 'bad@result.example', status: 'failed' },
    ]);
    const others = (await app.as(manager, 'get', `/api/jobs/${job.id}/results`)).body as object[];
    expect(others).toMatchObject([{ line: 2 }, { line: 4 }]);
    for (const row of others) expect(row).not.toHaveProperty('email');
    await app.as(app.admin, 'delete', `/api/users/${results[0]?.id}`).expect(204);
    await app.as(app.admin, 'post', `/api/users/${results[0]?.id}/erase`).expect((answer) => {
      if (answer.status >= 300) throw new Error(answer.text);
    });
    expect((await resultsOf(app, job.id))[0]).not.toHaveProperty('email');
  });
});

describe('the addresses in the results of an import', () => {
  /** Imports the rows as that caller, and returns the address of each result as the caller sees it. */
  const emailsFor = async (by: TestUser, query: string, rows: readonly object[]) => {
    const { job } = await importAs(query, rows, by);
    const answer = await app.as(by, 'get', `/api/jobs/${job.id}/results?limit=100`);
    return (answer.body as ResultBody[]).map(({ action, email }) => [action, email]);
  };

  it('are shown without users:read only for users whom the import has written', async () => {
    const writer = await createUserWith(app, ['users:write']);
    const reader = await createUserWith(app, ['users:write', 'users:read']);
    for (const [by, isReader] of [
      [writer, false],
      [reader, true],
    ] as const) {
      const { email } = await app.createUser();
      const rows = [{ email: email.toUpperCase() }, { email: `new@${by.id}.example` }];
      const dry = [{ email, name: 'Renamed' }, { email: `dry@${by.id}.example` }];
      const seen = isReader ? email : undefined;
      expect(await emailsFor(by, '?on_conflict=skip', rows)).toEqual([
        ['skipped', seen],
        ['created', rows[1]?.email],
      ]);
      expect(await emailsFor(by, '?on_conflict=update', rows.slice(0, 1))).toEqual([['unchanged', seen]]);
      expect(await emailsFor(by, '?on_conflict=update&dry_run=true', dry)).toEqual([
        ['updated', seen],
        ['created', dry[1]?.email],
      ]);
      expect(await emailsFor(by, '?on_conflict=update', dry.slice(0, 1))).toEqual([['updated', email]]);
    }
  });

  it('do not follow a user whom the import left unchanged', async () => {
    const writer = await createUserWith(app, ['users:write']);
    const { id, email } = await app.createUser();
    const { job } = await importAs('?on_conflict=skip', [{ email }], writer);
    await app
      .as(app.admin, 'put', `/api/users/${id}/email`)
      .send({ email: 'followed@result.example' })
      .expect(200);
    const seenBy = async (by: TestUser) =>
      ((await app.as(by, 'get', `/api/jobs/${job.id}/results`)).body as ResultBody[])[0]?.email;
    expect(await seenBy(writer)).toBeUndefined();
    const manager = await createUserWith(app, ['jobs:manage', 'users:read']);
    expect(await seenBy(manager)).toBe('followed@result.example');
    await app.as(app.admin, 'delete', `/api/users/${id}`).expect(204);
    expect(await seenBy(manager)).toBeUndefined();
    expect(await seenBy(app.admin)).toBe('followed@result.example');
  });
});

describe('an import that an instance of the previous release has staged', () => {
  it('is finished by this one', async () => {
    const id = newId();
    const row = {
      email: 'Former@staged.example',
      emailKey: 'former@staged.example',
      name: 'Former',
      passwordHash: null,
      emailVerified: true,
      disabled: false,
      roles: ['user'],
    };
    const rows = [
      { line: 1, row },
      { line: 2, row: 'must be a JSON object' },
    ];
    const sealed = app.nest.get(Cipher).encrypt(Buffer.from(JSON.stringify(rows)), `import:${id}:0`);
    await app.database.query(
      'INSERT INTO import_pieces (job_id, first_index, lines, sealed) VALUES ($1, 0, 2, $2)',
      [id, sealed],
    );
    await app.database.query(
      `INSERT INTO jobs (id, type, total, owner_id, session_id)
       SELECT $1, 'users.import', 2, user_id, id FROM sessions WHERE user_id = $2 LIMIT 1`,
      [id, app.admin.id],
    );
    expect(await jobEnded(app, id)).toMatchObject({ type: 'users.import', done: 1, failed: 1 });
    const [first] = await resultsOf(app, id);
    expect(await read(app, first?.id ?? '')).toMatchObject({
      email: 'Former@staged.example',
      email_verified: true,
    });
  });
});
