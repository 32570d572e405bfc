import { once } from 'node:events';
import { type ClientRequest, type IncomingMessage, request as httpRequest } from 'node:http';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { IdempotencyCleanup } from '../../../src/platform/idempotency/idempotency.cleanup.js';
import { CSV } from '../../support/builders/imports.js';
import { type JobBody, jobEnded } from '../../support/builders/jobs.js';
import { freshKey } from '../../support/http/keyed.js';
import { bearer, closeConnections } from '../../support/http/send.js';
import { type TestUser, TestApp } from '../../support/app/test-app.js';
import { until } from '../../support/app/until.js';
import { createUserWith } from '../../support/builders/users.js';

let app: TestApp;
beforeAll(async () => {
  app = await TestApp.create();
});
afterAll(async () => {
  closeConnections();
  await app.close();
});

let files = 0;
/** Returns a file with one user, a different one each time. */
const file = (): string => `email,name\nkeyed-${++files}@import.example,Ada\n`;
const send = (key: string, body = file(), by: TestUser = app.admin, query = '') =>
  app
    .as(by, 'post', `/api/users/import${query}`)
    .set('Content-Type', CSV)
    .set('Idempotency-Key', key)
    .send(body);
const jobs = async (): Promise<number> =>
  (await app.database.query(`SELECT 1 FROM jobs WHERE type LIKE 'users.import%'`)).length;
const claims = async (): Promise<number> =>
  (await app.database.query('SELECT 1 FROM idempotency_claims')).length;

interface Upload {
  readonly request: ClientRequest;
  /** Sends the rest. */
  finish(): Promise<{ status: number; body: string; headers: IncomingMessage['headers'] }>;
}

/** An upload that has started and claimed its key, and waits for the test to continue it. */
async function begun(key: string): Promise<Upload> {
  const headers = { ...bearer(app.admin), 'Content-Type': CSV, 'Idempotency-Key': key };
  const request = httpRequest(`${app.url}/api/users/import`, { method: 'POST', headers });
  const answer = once(request, 'response') as Promise<[IncomingMessage]>;
  answer.catch(() => {});
  request.on('error', () => {}).write('email,name\n');
  await until(async () => (await claims()) === 1);
  const finish = async () => {
    request.end(file().split('\n')[1]);
    const [response] = await answer;
    return { status: response.statusCode ?? 0, body: await text(response), headers: response.headers };
  };
  return { request, finish };
}

describe('an import with an Idempotency-Key', () => {
  it('runs once and returns the same bytes for every repetition of the key', async () => {
    const key = freshKey();
    const before = await jobs();
    const first = await send(key);
    expect([first.status, first.get('Idempotency-Replayed')]).toEqual([202, undefined]);
    for (const body of [file(), 'wrong', '']) {
      const again = await send(key, body);
      expect([again.status, again.text]).toEqual([202, first.text]);
      expect(again.get('Idempotency-Replayed')).toBe('true');
      for (const name of ['Location', 'Content-Type']) expect(again.get(name)).toBe(first.get(name));
    }
    const { id } = first.body as JobBody;
    expect(first.get('Location')).toBe(`/api/jobs/${id}`);
    expect(await jobEnded(app, id)).toMatchObject({ status: 'succeeded', done: 1 });
    expect([await jobs(), await claims()]).toEqual([before + 1, 0]);
  });

  it('runs again under another key, for another caller, and without a key', async () => {
    const key = freshKey();
    const writer = await createUserWith(app, ['users:write']);
    const plain = () => app.as(app.admin, 'post', '/api/users/import').set('Content-Type', CSV).send(file());
    const before = await jobs();
    const answers = [await send(key), await send(freshKey()), await send(key, file(), writer), await plain()];
    expect(answers.map(({ status }) => status)).toEqual([202, 202, 202, 202]);
    expect(await jobs()).toBe(before + 4);
  });

  it('gets 409 with Retry-After during the first upload, and then the response of the first', async () => {
    const key = freshKey();
    const upload = await begun(key);
    const meanwhile = await send(key);
    expect(meanwhile.status).toBe(409);
    expect(meanwhile.body).toMatchObject({ error: { code: 'CONFLICT' } });
    expect(meanwhile.get('Retry-After')).toMatch(/^[1-9]\d*$/);
    const first = await upload.finish();
    expect(first.status).toBe(202);
    expect((await send(key)).text).toBe(first.body);
  });

  it('releases the key when the upload is refused or breaks off', async () => {
    const key = freshKey();
    for (const wrong of ['wrong', '', 'email,name\n']) expect((await send(key, wrong)).status).toBe(400);
    expect((await send(key, file(), app.admin, '?more=1')).status).toBe(400);
    const { request } = await begun(key);
    request.destroy();
    await until(async () => (await claims()) === 0);
    const answer = await send(key);
    expect([answer.status, answer.get('Idempotency-Replayed')]).toEqual([202, undefined]);
  });

  it('creates one job for concurrent requests with one key', async () => {
    const key = freshKey();
    const before = await jobs();
    const answers = await Promise.all(Array.from({ length: 8 }, () => send(key)));
    for (const { status } of answers) expect([202, 409]).toContain(status);
    const texts = new Set(answers.filter(({ status }) => status === 202).map(({ text: body }) => body));
    expect([texts.size, await jobs(), await claims()]).toEqual([1, before + 1, 0]);
  });

  it('can be repeated ten seconds after its instance died, and the lost upload starts no job', async () => {
    const key = freshKey();
    const before = await jobs();
    const upload = await begun(key);
    const [claim] = await app.database.query<{ seconds: number }>(
      `SELECT extract(epoch FROM held_until - clock_timestamp())::float AS seconds FROM idempotency_claims`,
    );
    expect(claim?.seconds).toBeGreaterThan(5);
    expect(claim?.seconds).toBeLessThanOrEqual(10);
    // A dead instance extends no claims. Its renewals here match no row, because the holder has changed.
    await app.database.query(
      `UPDATE idempotency_claims SET holder = gen_random_uuid(), held_until = clock_timestamp()`,
    );
    const answer = await send(key);
    expect(answer.status).toBe(202);
    expect((await upload.finish()).status).toBe(409);
    expect([await jobs(), await claims()]).toEqual([before + 1, 0]);
  });

  it('keeps its key during the whole upload', async () => {
    const upload = await begun(freshKey());
    await app.database.query(
      `UPDATE idempotency_claims SET held_until = clock_timestamp() + interval '3 seconds'`,
    );
    const prolonged = async () =>
      (
        await app.database.query(
          `SELECT 1 FROM idempotency_claims WHERE held_until > clock_timestamp() + interval '7 seconds'`,
        )
      ).length === 1;
    await until(prolonged, 20_000, 'the claim is prolonged');
    expect((await upload.finish()).status).toBe(202);
  });

  it('leaves no claim behind: an abandoned one is deleted after an hour', async () => {
    await app.database.query(
      `INSERT INTO idempotency_claims (scope, holder, held_until)
       SELECT sha256(minutes::text::bytea), gen_random_uuid(), clock_timestamp() - make_interval(mins => minutes)
       FROM unnest(ARRAY[59, 61]) AS minutes`,
    );
    await app.nest.get(IdempotencyCleanup).run();
    expect(await claims()).toBe(1);
    await app.database.query('DELETE FROM idempotency_claims');
  });
});
