import { json } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  beginUpload,
  imported,
  ndjson,
  NDJSON,
  type OpenUpload,
  people,
  sendFile,
} from '../../support/builders/imports.js';
import { createUserWith } from '../../support/builders/users.js';
import { type TestUser, TestApp } from '../../support/app/test-app.js';
import { until } from '../../support/app/until.js';

/** The longest wait for a slot in ms. */
const WAIT_MS = 5000;

let app: TestApp;
beforeAll(async () => {
  app = await TestApp.create();
});
afterAll(() => app?.close());

const staged = (count: number) =>
  until(
    async () =>
      (await app.database.query('SELECT 1 FROM import_pieces WHERE status IS NULL')).length === count,
    20_000,
    `${count} staged chunks`,
  );
/** Starts uploads whose first chunk is staged. */
const beginStaged = (by: TestUser, count: number): OpenUpload[] =>
  Array.from({ length: count }, (_, n) =>
    beginUpload(app.url, by, ndjson(...people(500, `${by.id}-${n}.upload.example`))),
  );
const end = async (uploads: readonly OpenUpload[]) => {
  for (const { request } of uploads) request.destroy();
  await staged(0);
};

describe('the uploads to an instance', () => {
  it('by one account take two slots, and leave the others to other accounts', async () => {
    const slow = await createUserWith(app, ['users:write']);
    const uploads = beginStaged(slow, 4);
    await staged(2);
    expect((await imported(app, NDJSON, ndjson(...people(1, 'other.upload.example')))).job.done).toBe(1);
    await staged(2);
    await end(uploads);
  });

  it('wait for a slot, and take it as soon as another upload ends', async () => {
    const slow = await createUserWith(app, ['users:write']);
    const uploads = beginStaged(slow, 2);
    await staged(2);
    const { request, answer } = beginUpload(app.url, slow, ndjson(...people(1, 'third.upload.example')));
    request.end();
    uploads[0]?.request.destroy();
    const [response] = await answer;
    expect([response.statusCode, await json(response)]).toMatchObject([202, { total: 1 }]);
    await end(uploads);
  });

  it('wait for a slot, and are refused after 5 s without one', async () => {
    const slow = await createUserWith(app, ['users:write']);
    const uploads = beginStaged(slow, 2);
    await staged(2);
    const since = performance.now();
    const [response] = await beginUpload(app.url, slow, ndjson(...people(1, 'third.upload.example'))).answer;
    expect(performance.now() - since).toBeGreaterThan(WAIT_MS - 100);
    expect([response.statusCode, await json(response)]).toMatchObject([
      503,
      { error: { code: 'OVERLOADED', message: 'Too many files are being uploaded; try again soon' } },
    ]);
    expect(response.headers['retry-after']).toMatch(/^\d+$/);
    await end(uploads);
  });

  it('of one line wait for each other when they come at once', async () => {
    const writer = await createUserWith(app, ['users:write']);
    // Three times the slots of an account, which even a busy machine serves before the wait ends.
    const answers = await Promise.all(
      Array.from({ length: 6 }, (_, n) =>
        sendFile(app, NDJSON, ndjson({ email: `p${n}@at-once.upload.example` }), writer),
      ),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array(6).fill(202));
  });

  it('stop waiting at once when their clients leave', async () => {
    const slow = await createUserWith(app, ['users:write']);
    const uploads = beginStaged(slow, 2);
    await staged(2);
    // The claim of the key shows that the service has the request, and its release that it no longer waits.
    const claims = async () => (await app.database.query('SELECT 1 FROM idempotency_claims')).length;
    const key = { 'Idempotency-Key': 'leaves-early' };
    const waiting = beginUpload(app.url, slow, ndjson(...people(1, 'left.upload.example')), key);
    await until(async () => (await claims()) === 1);
    waiting.request.destroy();
    await until(async () => (await claims()) === 0, WAIT_MS / 2);
    await end(uploads);
  });
});
