import { json } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ImportsCleanup } from '../../../src/modules/user-imports/imports.cleanup.js';
import { HeldLock } from '../../support/database/held-lock.js';
import {
  beginUpload,
  countUsersAt,
  CSV,
  foreignHashes,
  imported,
  JSON_ARRAY,
  ndjson,
  NDJSON,
  people,
  sendFile,
} from '../../support/builders/imports.js';
import { type JobBody, jobEnded, readJob, resultsOf } from '../../support/builders/jobs.js';
import { closeConnections } from '../../support/http/send.js';
import { whileChanging } from '../../support/builders/sessions.js';
import { ADMIN, PASSWORD, signIn, TestApp } from '../../support/app/test-app.js';
import { eventsOf } from '../../support/builders/events.js';
import { until } from '../../support/app/until.js';
import { createUserWith, read } from '../../support/builders/users.js';

let app: TestApp;
beforeAll(async () => {
  app = await TestApp.create();
});
afterAll(async () => {
  closeConnections();
  await app.close();
});

const statuses = (results: readonly { status: string }[]) => results.map(({ status }) => status);
const pieces = (where = 'true') =>
  app.database.query<{ job_id: string }>(`SELECT job_id FROM import_pieces WHERE ${where}`);

describe('an import', () => {
  it('creates the users of an NDJSON file exactly as given, each with an event and an audit entry', async () => {
    const body = ndjson({ email: ' Ada@First.Example ', name: 'Ada' }, '', {
      email: 'bob@first.example',
      name: 'Bob',
      email_verified: true,
      status: 'disabled',
      roles: ['user', 'premium'],
    }).replaceAll('\n', '\r\n');
    const answer = await sendFile(app, `${NDJSON}; charset=utf-8`, `\ufeff${body}`);
    const { id: jobId } = answer.body as JobBody;
    expect([answer.status, answer.get('Location')]).toEqual([202, `/api/jobs/${jobId}`]);
    expect(await jobEnded(app, jobId)).toMatchObject({
      type: 'users.import',
      status: 'succeeded',
      total: 2,
      done: 2,
    });
    const results = await resultsOf(app, jobId);
    const [ada = '', bob = ''] = results.map(({ id }) => id);
    expect(results).toEqual([
      { index: 0, id: ada, line: 1, email: 'Ada@First.Example', action: 'created', status: 'ok' },
      { index: 1, id: bob, line: 3, email: 'bob@first.example', action: 'created', status: 'ok' },
    ]);
    const common = { version: 1, last_login_at: null };
    const plain = { status: 'active', roles: ['user'], email_verified: false };
    expect(await read(app, ada)).toMatchObject({
      email: 'Ada@First.Example',
      name: 'Ada',
      ...plain,
      ...common,
    });
    const told = { status: 'disabled', roles: ['premium', 'user'], email_verified: true };
    expect(await read(app, bob)).toMatchObject({ email: 'bob@first.example', ...told, ...common });
    expect(await eventsOf(app, bob)).toMatchObject([
      { type: 'user.created', data: { name: 'Bob', ...told } },
    ]);
    const entries = (await app.as(app.admin, 'get', `/api/audit?target_id=${bob}`)).body as unknown[];
    expect(entries).toMatchObject([
      {
        action: 'user.create',
        request_id: jobId,
        actor: { id: app.admin.id },
        changes: { name: { from: null, to: 'Bob' } },
      },
    ]);
    expect(await app.database.query('SELECT 1 FROM one_time_tokens WHERE user_id = $1', [ada])).toEqual([]);
  });

  it('reads CSV with quotes, line breaks and columns in any order, and keeps the good lines', async () => {
    const { job, results } = await imported(
      app,
      CSV,
      [
        'name,roles,email,email_verified',
        '"Lovelace, ""Ada""",user;premium,ada@csv.example,TRUE',
        '"two\nlines",,two@csv.example,',
        'Bob,,bob@csv.example,',
        'bad" quote,,quote@csv.example,',
        'few,fields',
        '"never closed,,open@csv.example,',
        'Last,,last@csv.example,maybe',
        'Eve,,eve@csv.example,false',
      ].join('\n'),
    );
    expect(job).toMatchObject({ total: 8, done: 3, failed: 5 });
    expect(results.map(({ error }) => error?.message.replace(/: .*/, ''))).toEqual([
      undefined,
      'line 3',
      undefined,
      ...[6, 7, 8, 9].map((line) => `line ${line}`),
      undefined,
    ]);
    expect(await read(app, results[0]?.id ?? '')).toMatchObject({
      name: 'Lovelace, "Ada"',
      roles: ['premium', 'user'],
      email_verified: true,
    });
  });

  it('reports each bad line by number and keeps the good ones', async () => {
    const hash = (cost: string) => ({ password_hash: `$2b$${cost}$${'a'.repeat(53)}` });
    const good = (n: number) => ({ email: `g${n}@bad.example`, name: 'Good' });
    const huge =
      '$argon2id$v=19$m=4194304,t=3,p=1$c29tZXNhbHRzb21lc2FsdA$c29tZXNhbHRzb21lc2FsdHNvbWVzYWx0c29tZXM';
    const bad = [
      '{"email":',
      '[]',
      'null',
      '{"email":"a@bad.example","name":"A","name":"B"}',
      '{"email":"a@bad.example","name":"A","__proto__":{}}',
      '{"email":"a@bad.example","name":"A\\u0000"}',
      '{"email":"a@bad.example","name":"\\ud800"}',
      '{"email":"a@bad.example","name":{"first":"A"}}',
      { ...good(1), admin: true },
      { ...good(1), email: 'nobody' },
      { name: 'Nobody' },
      { ...good(1), status: 'deleted' },
      { ...good(1), email_verified: 'maybe' },
      { ...good(1), roles: [] },
      { ...good(1), password_hash: 'plain words' },
      { ...good(1), ...hash('31') },
      { ...good(1), password_hash: huge },
      { ...good(1), password_hash: `$scrypt$ln=14,r=8,p=1$c29tZXNhbHQxMjM0NTY3OA$${'='.repeat(22)}` },
      { ...good(1), ...hash('10') },
      { ...good(1), name: 'x'.repeat(70_000) },
    ];
    const text = Buffer.from(`${ndjson(good(0), ...bad)}\n`);
    const invalid = Buffer.from('{"email":"a@bad.example","name":"\xff"}\n', 'latin1');
    const last = Buffer.from(ndjson(good(2)));
    const { job, results } = await imported(app, NDJSON, Buffer.concat([text, invalid, last]));
    expect(job).toMatchObject({
      status: 'succeeded',
      total: bad.length + 3,
      done: 2,
      failed: bad.length + 1,
    });
    expect([results[0]?.status, results.at(-1)?.status]).toEqual(['ok', 'ok']);
    for (const [n, { error }] of results.slice(1, -1).entries()) {
      expect([n, error]).toMatchObject([
        n,
        { code: 'VALIDATION_ERROR', message: expect.stringMatching(`^line ${n + 2}: `) },
      ]);
    }
    expect(await countUsersAt(app, 'bad.example')).toBe(2);
  });

  it('reports addresses taken within the file or by other users, in any spelling', async () => {
    const { email } = await app.createUser();
    const { results } = await imported(
      app,
      NDJSON,
      ndjson(
        { email: 'TWICE@same.example', name: 'First' },
        { email: 'twice@SAME.example', name: 'Second' },
        { email: email.toUpperCase(), name: 'Taken' },
      ),
    );
    expect(results).toMatchObject([
      { status: 'ok' },
      { status: 'failed', error: { code: 'CONFLICT', message: 'line 2: This email address is taken' } },
      { status: 'failed', error: { code: 'CONFLICT', message: 'line 3: This email address is taken' } },
    ]);
    expect((await read(app, results[0]?.id ?? '')).name).toBe('First');
  });

  it('accepts password hashes of every format and renews each at the first sign-in', async () => {
    const hashes = Object.entries(await foreignHashes(PASSWORD));
    const rows = hashes.map(([form, hash]) => ({
      email: `${form}@hash.example`,
      name: 'H',
      password_hash: hash,
    }));
    const { results } = await imported(
      app,
      NDJSON,
      ndjson(...rows, { email: 'none@hash.example', name: 'H' }),
    );
    expect(statuses(results)).toEqual([...hashes.map(() => 'ok'), 'ok']);
    for (const { email, password_hash: before } of rows) {
      await signIn(app.url, email, PASSWORD);
      const [row] = await app.database.query<{ hash: string }>(
        'SELECT password_hash AS hash FROM users WHERE email = $1',
        [email],
      );
      expect(row?.hash).toMatch(/^\$argon2id\$v=19\$m=19456,/);
      expect(row?.hash).not.toBe(before);
      await signIn(app.url, email, PASSWORD);
    }
    await expect(signIn(app.url, 'none@hash.example', PASSWORD)).rejects.toThrow('401');
  });

  it('refuses a role that the caller could not grant in a single request', async () => {
    const rows = (domain: string) =>
      ndjson(
        ...[undefined, ['user'], ['user', 'premium'], ['admin'], ['no-such-role']].map((roles, n) => ({
          email: `r${n}@${domain}`,
          name: 'R',
          ...(roles && { roles }),
        })),
      );
    const writer = await createUserWith(app, ['users:write']);
    const granter = await createUserWith(app, ['users:write', 'roles:grant']);
    const codes = async (domain: string, by: typeof writer) =>
      (await imported(app, NDJSON, rows(domain), by)).results.map(({ error }) => error?.code);
    const [no, wrong] = ['FORBIDDEN', 'VALIDATION_ERROR'];
    expect(await codes('writer.example', writer)).toEqual([undefined, undefined, no, no, no]);
    expect(await codes('granter.example', granter)).toEqual([undefined, undefined, undefined, no, wrong]);
    const denied = `/api/audit?actor_id=${writer.id}&action=permission.check&outcome=denied`;
    expect((await app.as(app.admin, 'get', denied)).body).toHaveLength(1);
    const nobody = await createUserWith(app, ['users:read']);
    expect((await sendFile(app, NDJSON, rows('x.example'), nobody)).status).toBe(403);
  });

  it('refuses other media types, other codings and invalid files, and keeps nothing of them', async () => {
    for (const [type, encoding] of [['text/plain'], [CSV, 'br'], [`${CSV}; charset=latin1`]]) {
      const request = sendFile(app, type ?? '', 'email,name\n');
      if (encoding !== undefined) void request.set('Content-Encoding', encoding);
      expect((await request).body).toMatchObject({ error: { code: 'UNSUPPORTED_MEDIA_TYPE' } });
    }
    for (const header of ['name', 'email,name,colour', 'email,EMAIL,name', 'a@b.example,Ada', '']) {
      const answer = await sendFile(app, CSV, `${header}\na@no.example,Ada`);
      expect([header, answer.status]).toEqual([header, 400]);
    }
    for (const array of ['{}', '[{}', '[{} {}]', '[{}] x', '[]'])
      expect([array, (await sendFile(app, JSON_ARRAY, array)).status]).toEqual([array, 400]);
    expect((await sendFile(app, NDJSON, '\n \n')).status).toBe(400);
    expect(await pieces('status IS NULL')).toEqual([]);
  });

  const jobs = async () => (await app.as(app.admin, 'get', '/api/jobs?total=exact')).get('X-Total-Count');
  const begun = (url: string, text: string) => beginUpload(url, app.admin, text);
  const staged = (count: number) =>
    until(async () => (await pieces('status IS NULL')).length === count, 20_000, `${count} staged pieces`);

  it('leaves no job and no line of an upload that breaks off', async () => {
    const before = await jobs();
    const { request } = begun(app.url, ndjson(...people(1200, 'broken.example')));
    await staged(2);
    request.destroy();
    await staged(0);
    expect([await jobs(), await countUsersAt(app, 'broken.example')]).toEqual([before, 0]);
  });

  it('creates nobody from a chunk that was skipped while it waited for the lock, and counts none of it', async () => {
    const { request, answer } = begun(app.url, ndjson(...people(600, 'skipped.example')));
    await staged(1);
    const skip = {
      sql: `UPDATE import_pieces SET status = 'skipped', sealed = NULL WHERE status IS NULL`,
      values: [],
    };
    const begin = async () => {
      request.end();
      const [response] = await answer;
      return (await json(response)) as JobBody;
    };
    const [job] = await whileChanging(app.database, skip, { start: () => [begin()] });
    const id = job?.id ?? '';
    expect(await jobEnded(app, id)).toMatchObject({ status: 'succeeded', total: 600, done: 100, failed: 0 });
    expect(await countUsersAt(app, 'skipped.example')).toBe(100);
    const results = statuses(await resultsOf(app, id));
    expect([results.indexOf('ok'), results.lastIndexOf('skipped')]).toEqual([500, 499]);
  });

  it('times out when the upload stalls, and leaves nothing behind', async () => {
    const impatient = await TestApp.create({ database: app.database, config: { REQUEST_TIMEOUT_MS: 300 } });
    try {
      const before = await jobs();
      const { request, answer } = begun(impatient.url, ndjson(...people(600, 'silent.example')));
      const [response] = await answer;
      expect([response.statusCode, await json(response)]).toMatchObject([
        504,
        { error: { code: 'TIMEOUT' } },
      ]);
      request.destroy();
      expect([await jobs(), await pieces('status IS NULL')]).toEqual([before, []]);
    } finally {
      await impatient.close();
    }
  });

  it('keeps staged lines encrypted, lets users sign in meanwhile, and drops the rest on cancellation', async () => {
    const rows = people(1500, 'held.example');
    const lock = await HeldLock.take(app.database.url, 'LOCK TABLE account_keys IN SHARE MODE', []);
    try {
      const { id } = (await sendFile(app, NDJSON, ndjson(...rows))).body as JobBody;
      await until(async () => (await lock.waiting()) === 2);
      await signIn(app.url, ADMIN.email, ADMIN.password);
      const [held] = await app.database.query<{ found: number }>(
        `SELECT count(*)::integer AS found FROM import_pieces WHERE position('held.example'::bytea IN sealed) > 0`,
      );
      expect(held).toEqual({ found: 0 });
      const cancelled = app.as(app.admin, 'delete', `/api/jobs/${id}`).then((answer) => answer.status);
      await lock.release();
      expect(await cancelled).toBe(202);
      const job = await readJob(app, id);
      const results = await resultsOf(app, id);
      expect(job.status).toBe('cancelled');
      expect(results).toHaveLength(1500);
      expect(statuses(results).filter((status) => status === 'ok')).toHaveLength(job.done);
      expect(await countUsersAt(app, 'held.example')).toBe(job.done);
      expect(await pieces('sealed IS NOT NULL')).toEqual([]);
    } finally {
      await lock.release();
    }
  });

  it('pages through the results of all chunks, optionally of one status', async () => {
    const rows = people(1101, 'pages.example').map((row, n) =>
      n % 400 === 7 ? { ...row, email: 'no' } : row,
    );
    const { job, results } = await imported(app, NDJSON, ndjson(...rows));
    expect(job).toMatchObject({ total: 1101, done: 1098, failed: 3 });
    expect(results.map(({ index }) => index)).toEqual(rows.map((_, n) => n));
    const failed = await app.as(
      app.admin,
      'get',
      `/api/jobs/${job.id}/results?status=failed&limit=2&total=exact`,
    );
    expect(failed.get('X-Total-Count')).toBe('3');
    expect((failed.body as { index: number }[]).map(({ index }) => index)).toEqual([7, 407]);
    const later = await app.as(app.admin, 'get', `/api/jobs/${job.id}/results?offset=1099`);
    expect((later.body as { index: number }[]).map(({ index }) => index)).toEqual([1099, 1100]);
  });

  it('cleans up lines not imported within a day and the results of deleted jobs', async () => {
    await app.database.query(
      `INSERT INTO import_pieces (job_id, first_index, lines, sealed, staged_at)
       VALUES (gen_random_uuid(), 0, 1, '', now() - interval '23 hours'), (gen_random_uuid(), 0, 1, '', now())`,
    );
    await app.nest.get(ImportsCleanup).run();
    expect(await pieces('NOT EXISTS (SELECT 1 FROM jobs WHERE id = job_id)')).toHaveLength(1);
    await app.database.query('DELETE FROM import_pieces WHERE status IS NULL');
  });
});
