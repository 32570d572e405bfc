import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { packBytes } from '../../../src/modules/user-imports/packed-bytes.js';
import { ImportsCleanup } from '../../../src/modules/user-imports/imports.cleanup.js';
import { Cipher } from '../../../src/platform/crypto/cipher.service.js';
import { CSV, imported, JSON_ARRAY, ndjson, NDJSON, sendFile } from '../../support/builders/imports.js';
import { HeldLock } from '../../support/database/held-lock.js';
import { batch, type JobBody, jobEnded, resultsOf } from '../../support/builders/jobs.js';
import { type TestUser, TestApp } from '../../support/app/test-app.js';
import { until } from '../../support/app/until.js';
import { createUserWith } from '../../support/builders/users.js';

let app: TestApp;
beforeAll(async () => {
  app = await TestApp.create();
});
afterAll(() => app?.close());

const rejectedOf = (id: string, by: TestUser = app.admin) => app.as(by, 'get', `/api/jobs/${id}/rejected`);
const good = (n: number, domain: string) => ({ email: `g${n}@${domain}`, name: `Good ${n}` });

describe('GET /api/jobs/{id}/rejected', () => {
  it('sends the rejected lines of NDJSON byte for byte', async () => {
    const bad = ['{"email": "no", "name":"N"}', '  {broken', '{"email":"x@line.example","status":"odd" }'];
    const { job } = await imported(
      app,
      NDJSON,
      ndjson(good(1, 'line.example'), bad[0], good(2, 'line.example'), bad[1], bad[2], 'x'.repeat(70_000)),
    );
    expect(job).toMatchObject({ done: 2, failed: 4 });
    const answer = await rejectedOf(job.id).buffer(true);
    expect(answer.headers).toMatchObject({
      'content-type': 'application/x-ndjson; charset=utf-8',
      'content-disposition': `attachment; filename="rejected-${job.id}.ndjson"`,
      'cache-control': 'no-store',
    });
    expect(answer.text ?? String(answer.body)).toBe(bad.map((line) => `${line}\n`).join(''));
  });

  it('sends CSV with its header, and the fixed file can be imported', async () => {
    const taken = await app.createUser();
    const lines = [
      'Roles;EMAIL;name',
      `;${taken.email};"Taken; ""again"""`,
      ';g@csv.example;Good',
      'odd role;h@csv.example;Odd',
    ];
    const { job } = await imported(app, CSV, Buffer.from(`\ufeff${lines.join('\r\n')}`, 'utf16le'));
    expect(job).toMatchObject({ done: 1, failed: 2 });
    const { text } = await rejectedOf(job.id);
    expect(text).toBe(`roles;email;name\n${lines[1]}\n${lines[3]}\n`);
    const fixed = text.replace(taken.email, 'free@csv.example').replace('odd role', 'premium');
    const again = await imported(app, CSV, fixed);
    expect(again.job).toMatchObject({ done: 2, failed: 0 });
    expect(again.results.map(({ email }) => email)).toEqual(['free@csv.example', 'h@csv.example']);
  });

  it('sends a JSON array, also of several chunks, and an empty one when nothing was rejected', async () => {
    const rows = Array.from({ length: 1300 }, (_, n) => ({
      email: n % 2 ? `a${n}@array.example` : 'no',
      n: undefined,
    }));
    const { job } = await imported(app, JSON_ARRAY, JSON.stringify(rows, null, 1));
    expect(job).toMatchObject({ done: 650, failed: 650 });
    const answer = await rejectedOf(job.id);
    expect(answer.type).toBe('application/json');
    expect(answer.body).toEqual(Array.from({ length: 650 }, () => ({ email: 'no' })));
    const other = await imported(app, JSON_ARRAY, JSON.stringify([good(1, 'all.example')]));
    expect((await rejectedOf(other.job.id)).body).toEqual([]);
  });

  it('also keeps the rejected rows of a dry run', async () => {
    const { job } = await imported(app, NDJSON, ndjson({ email: 'no' }), app.admin, '?dry_run=true');
    const answer = await rejectedOf(job.id).buffer(true);
    expect([answer.status, answer.text ?? String(answer.body)]).toEqual([200, '{"email":"no"}\n']);
  });

  it('is for the owner of the job, and for users:write with jobs:manage', async () => {
    const owner = await createUserWith(app, ['users:write']);
    const { job } = await imported(app, NDJSON, ndjson({ email: 'no' }), owner);
    const callers = [
      owner,
      await createUserWith(app, ['users:write']),
      await createUserWith(app, ['jobs:manage']),
      await createUserWith(app, ['jobs:manage', 'users:write']),
    ];
    const statuses = await Promise.all(callers.map(async (by) => (await rejectedOf(job.id, by)).status));
    expect(statuses).toEqual([200, 404, 403, 200]);
  });

  it('refuses while the job runs, and for a job that keeps none', async () => {
    const lock = await HeldLock.take(app.database.url, 'LOCK TABLE account_keys IN SHARE MODE', []);
    try {
      const { id } = (await sendFile(app, NDJSON, ndjson(good(1, 'running.example')))).body as JobBody;
      expect((await rejectedOf(id)).body).toMatchObject({ error: { code: 'CONFLICT' } });
      await lock.release();
      await jobEnded(app, id);
    } finally {
      await lock.release();
    }
    const user = await app.createUser();
    const { job } = await batch(app, { action: 'enable', user_ids: [user.id] });
    expect((await rejectedOf(job.id)).status).toBe(404);
  });

  it('keeps them encrypted for 24 hours after the end of the job, and their addresses as long', async () => {
    const { job } = await imported(app, NDJSON, ndjson({ email: 'secret@kept.example', status: 'odd' }));
    const stored = async () => {
      const [row] = await app.database.query<{ kept: boolean; plain: boolean }>(
        `SELECT rejected IS NOT NULL AS kept, coalesce(position('kept.example'::bytea IN rejected) > 0, false) AS plain
         FROM import_pieces WHERE job_id = $1`,
        [job.id],
      );
      return row;
    };
    expect(await stored()).toEqual({ kept: true, plain: false });
    const endedAgo = (time: string) =>
      app.database.query('UPDATE jobs SET finished_at = clock_timestamp() - $2::interval WHERE id = $1', [
        job.id,
        time,
      ]);
    const cleanup = () => app.nest.get(ImportsCleanup).run();
    await endedAgo('23 hours 59 minutes');
    await cleanup();
    expect((await rejectedOf(job.id)).status).toBe(200);
    expect((await resultsOf(app, job.id))[0]?.email).toBe('secret@kept.example');
    await endedAgo('24 hours 1 minute');
    expect((await rejectedOf(job.id)).status).toBe(404);
    expect((await resultsOf(app, job.id))[0]).not.toHaveProperty('email');
    await cleanup();
    expect(await stored()).toEqual({ kept: false, plain: false });
  });
});

describe('the rejected row of a user who has been erased since', () => {
  const textOf = async (id: string): Promise<string> => {
    const answer = await rejectedOf(id).buffer(true);
    expect(answer.status).toBe(200);
    return answer.text ?? String(answer.body);
  };
  const erase = async (id: string) => {
    await app.as(app.admin, 'delete', `/api/users/${id}`).expect(204);
    await app.as(app.admin, 'post', `/api/users/${id}/erase`).expect(202);
    await until(
      async () =>
        (await app.database.query('SELECT 1 FROM users WHERE id = $1 AND erased_at IS NOT NULL', [id]))
          .length > 0,
    );
  };
  const emailsOf = async (id: string) => (await resultsOf(app, id)).map(({ email }) => email);

  it.each(['fail', 'skip', 'update'])(
    'shows neither its address nor its line, whatever its fault (on_conflict=%s)',
    async (policy) => {
      const user = await app.createUser();
      const other = await app.createUser();
      const deleted = await app.createUser();
      await app.as(app.admin, 'delete', `/api/users/${deleted.id}`).expect(204);
      const lines = [
        JSON.stringify({ email: deleted.email }),
        JSON.stringify({ email: ` ${user.email.toUpperCase()}`, status: 'odd' }),
        JSON.stringify({ email: other.email, roles: ['no-such-role'] }),
        JSON.stringify({ email: `nobody-${policy}@rejected.example`, status: 'odd' }),
      ];
      const { job } = await imported(app, NDJSON, ndjson(...lines), app.admin, `?on_conflict=${policy}`);
      const kept = lines.filter((_, place) => policy !== 'skip' || place !== 2);
      expect(await textOf(job.id)).toBe(kept.map((line) => `${line}\n`).join(''));
      await erase(user.id);
      await app.as(app.admin, 'post', `/api/users/${deleted.id}/erase`).expect(202);
      await until(async () => (await emailsOf(job.id))[0] === undefined);
      expect(await textOf(job.id)).toBe(
        kept
          .slice(2)
          .map((line) => `${line}\n`)
          .join(''),
      );
      expect(await emailsOf(job.id)).toEqual([
        undefined,
        undefined,
        other.email,
        `nobody-${policy}@rejected.example`,
      ]);
    },
  );

  it('shows neither after the user has changed the address', async () => {
    const user = await app.createUser();
    const { job } = await imported(app, JSON_ARRAY, JSON.stringify([{ email: user.email }]));
    expect(await emailsOf(job.id)).toEqual([user.email]);
    await app
      .as(app.admin, 'put', `/api/users/${user.id}/email`)
      .send({ email: 'moved@rejected.example' })
      .expect(200);
    expect(await emailsOf(job.id)).toEqual([user.email]);
    await erase(user.id);
    expect(await resultsOf(app, job.id)).toMatchObject([{ index: 0, error: { code: 'CONFLICT' } }]);
    expect(await emailsOf(job.id)).toEqual([undefined]);
    expect(await textOf(job.id)).toBe('[\n]\n');
  });

  it('is still read as the release before has kept it', async () => {
    const line = '{"email":"former@rejected.example","status":"odd"}';
    const { job } = await imported(app, NDJSON, line);
    const former = packBytes([[0, 'former@rejected.example', line.length]], [Buffer.from(line)]);
    await app.database.query('UPDATE import_pieces SET rejected = $2 WHERE job_id = $1', [
      job.id,
      app.nest.get(Cipher).encrypt(former, `import-rejected:${job.id}:0`),
    ]);
    expect(await emailsOf(job.id)).toEqual(['former@rejected.example']);
    expect(await textOf(job.id)).toBe(`${line}\n`);
  });
});
