import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { JobsCleanup } from '../../../src/modules/jobs/storage/jobs.cleanup.js';
import { MAX_OPEN_JOBS } from '../../../src/modules/jobs/job-creation.service.js';
import { JobRegistry } from '../../../src/modules/jobs/job-registry.service.js';
import { JobStreams } from '../../../src/modules/jobs/job.streams.js';
import { JobWorker } from '../../../src/modules/jobs/processing/job.worker.js';
import { LifecycleService } from '../../../src/platform/lifecycle/lifecycle.service.js';
import { HeldLock } from '../../support/database/held-lock.js';
import {
  batch,
  followed,
  type JobBody,
  jobEnded,
  readJob,
  resultsOf,
  startBatch,
} from '../../support/builders/jobs.js';
import { expireSoon } from '../../support/builders/sessions.js';
import { receivers } from '../../support/builders/resources.js';
import { type TestUser, TestApp } from '../../support/app/test-app.js';
import { until } from '../../support/app/until.js';
import { createUserWith, NOBODY } from '../../support/builders/users.js';

let app: TestApp;
let held: HeldLock | null = null;
beforeAll(async () => {
  app = await TestApp.create();
});
afterEach(() => held?.release());
afterAll(() => app.close());

const get = (by: TestUser, path: string) => app.as(by, 'get', `/api/jobs${path}`);
const cancel = (id: string, by = app.admin) => app.as(by, 'delete', `/api/jobs/${id}`);
const people = (count: number) => receivers(app.database, count);
/** Creates a job whose rows all wait until the lock is released. */
async function heldBatch(count: number, by = app.admin): Promise<{ ids: string[]; job: JobBody }> {
  const ids = await people(count);
  held = await HeldLock.take(app.database.url, 'SELECT 1 FROM users WHERE id = ANY ($1) FOR UPDATE', [ids]);
  const job = await startBatch(app, { action: 'disable', user_ids: ids }, by);
  await until(async () => (await held?.waiting()) === Math.min(count, 10));
  return { ids, job };
}
const disabledOf = async (ids: readonly string[]): Promise<number> => {
  const events = `SELECT 1 FROM events WHERE subject = ANY ($1) AND type = 'user.disabled'`;
  return (await app.database.query(events, [ids])).length;
};

describe('a job', () => {
  it('is visible to its owner and to jobs:manage, and returns 404 to others', async () => {
    const owner = await createUserWith(app, ['users:write']);
    const manager = await createUserWith(app, ['jobs:manage']);
    const other = await createUserWith(app, ['users:write', 'users:delete']);
    const { id } = await startBatch(app, { action: 'enable', user_ids: [NOBODY] }, owner);
    const job = await jobEnded(app, id);
    for (const path of ['', '/results', '/stream']) {
      for (const caller of [owner, manager]) expect((await get(caller, `/${id}${path}`)).status).toBe(200);
      for (const [caller, asked] of [
        [other, id],
        [owner, NOBODY],
      ] as const) {
        const answer = await get(caller, `/${asked}${path}`);
        expect(answer).toMatchObject({ status: 404, body: { error: { code: 'NOT_FOUND' } } });
      }
    }
    expect((await cancel(id, other)).status).toBe(404);
    expect((await get(owner, '')).body).toEqual([job]);
    expect((await get(other, '')).body).toEqual([]);
    expect((await get(manager, '')).body).toEqual((await get(app.admin, '')).body);
  });

  it('appears in a list, newest first, page by page', async () => {
    const owner = await createUserWith(app, ['users:write']);
    const jobs: JobBody[] = [];
    for (let n = 0; n < 3; n++) {
      const { id } = await startBatch(app, { action: 'enable', user_ids: [NOBODY] }, owner);
      jobs.unshift(await jobEnded(app, id));
    }
    const first = await get(owner, '?limit=2&total=exact');
    expect([first.body, first.get('X-Total-Count')]).toEqual([jobs.slice(0, 2), '3']);
    const next = /<\/api\/jobs(\?[^>]+)>; rel="next"/.exec(first.get('Link') ?? '')?.[1] ?? '';
    const last = await get(owner, next);
    expect([last.body, last.get('Link')]).toEqual([jobs.slice(2), undefined]);
    expect((await get(owner, '?offset=1&limit=1')).body).toEqual(jobs.slice(1, 2));
    expect((await get(owner, `?cursor=${'x'.repeat(20)}`)).status).toBe(400);
    // The cursor belongs to the caller's own jobs, not to the list of all.
    expect((await get(app.admin, next)).status).toBe(400);
  });

  it('has results in row order, page by page, optionally of one status', async () => {
    const ids = [...(await people(2)), NOBODY, ...(await people(2))];
    const { job, results } = await batch(app, { action: 'disable', user_ids: ids });
    expect(results.map(({ index, id }) => [index, id])).toEqual(ids.map((id, index) => [index, id]));
    const page = await get(app.admin, `/${job.id}/results?limit=2&offset=1&total=exact`);
    expect([page.body, page.get('X-Total-Count')]).toEqual([results.slice(1, 3), '5']);
    const failed = await get(app.admin, `/${job.id}/results?status=failed&total=exact`);
    expect([failed.body, failed.get('X-Total-Count')]).toEqual([results.slice(2, 3), '1']);
    expect((await get(app.admin, `/${job.id}/results?status=open`)).status).toBe(400);
    expect((await get(app.admin, `/${job.id}/results?cursor=0`)).status).toBe(400);
  });

  it(`is refused beyond ${MAX_OPEN_JOBS} unfinished jobs of one user, however many requests arrive at once`, async () => {
    const owner = await createUserWith(app, ['users:write']);
    const { ids } = await heldBatch(1, owner);
    const ask = () => app.as(owner, 'post', '/api/users/batch').send({ action: 'enable', user_ids: ids });
    const answers = await Promise.all(Array.from({ length: MAX_OPEN_JOBS + 4 }, ask));
    const refused = answers.filter(({ status }) => status === 409);
    expect(answers.filter(({ status }) => status === 202)).toHaveLength(MAX_OPEN_JOBS - 1);
    expect(refused).toHaveLength(5);
    await held?.release();
    for (const { id } of (await get(owner, '')).body as JobBody[]) await jobEnded(app, id);
    const again = await ask();
    expect(again.status).toBe(202);
    await jobEnded(app, (again.body as JobBody).id);
  });

  it('is deleted with its results 30 days after its end and not before', async () => {
    const [old, young] = [await batch(app, { action: 'enable', user_ids: [NOBODY] }), await heldBatch(1)];
    const age = (id: string, days: number) =>
      app.database.query(
        'UPDATE jobs SET finished_at = finished_at - make_interval(days => $2) WHERE id = $1',
        [id, days],
      );
    await age(old.job.id, 29);
    await app.nest.get(JobsCleanup).run();
    expect((await get(app.admin, `/${old.job.id}`)).status).toBe(200);
    await age(old.job.id, 2);
    await app.nest.get(JobsCleanup).run();
    expect((await get(app.admin, `/${old.job.id}`)).status).toBe(404);
    expect(await app.database.query('SELECT 1 FROM job_rows WHERE job_id = $1', [old.job.id])).toEqual([]);
    expect((await get(app.admin, `/${young.job.id}`)).status).toBe(200);
    await held?.release();
    await jobEnded(app, young.job.id);
  });

  it('continues on another instance within seconds when its lease holder goes silent', async () => {
    const ids = await people(3);
    const { id } = await startBatch(app, { action: 'disable', user_ids: ids });
    await jobEnded(app, id);
    // The state that an instance leaves when it is killed between rows.
    await app.database.query(`UPDATE job_rows SET status = NULL WHERE job_id = $1 AND index = 1`, [id]);
    await app.database.query(
      `UPDATE jobs SET status = 'running', finished_at = NULL, done = 0, holder = gen_random_uuid(),
              held_until = clock_timestamp() + interval '2 seconds' WHERE id = $1`,
      [id],
    );
    expect(await jobEnded(app, id)).toMatchObject({ status: 'succeeded', done: 3, failed: 0 });
    expect(await disabledOf(ids)).toBe(3);
  });

  it('is released within two heartbeats when another instance claims it: the old one settles no further row', async () => {
    const { job } = await heldBatch(14);
    const { id } = job;
    const [taken] = await app.database.query<{ holder: string }>(
      `UPDATE jobs SET holder = gen_random_uuid(), held_until = clock_timestamp() + interval '1 hour'
       WHERE id = $1 RETURNING holder`,
      [id],
    );
    // The changes of unfinished rows are rolled back.
    await until(async () => (await held?.waiting()) === 0, 1500, 'the first instance has left the job');
    await held?.release();
    const [left] = await app.database.query<{ holder: string; open: string; later: boolean }>(
      `SELECT holder, held_until > clock_timestamp() + interval '50 minutes' AS later,
              (SELECT count(*) FROM job_rows WHERE job_id = jobs.id AND status IS NULL) AS open
       FROM jobs WHERE id = $1`,
      [id],
    );
    expect(left).toEqual({ holder: taken?.holder, open: '14', later: true });
    await app.database.query('UPDATE jobs SET held_until = clock_timestamp() WHERE id = $1', [id]);
    expect(await jobEnded(app, id)).toMatchObject({ status: 'succeeded', done: 14, failed: 0 });
  });

  it('fails after its fifth unexpected error: finished rows stay, the rest are skipped', async () => {
    const ids = await people(3);
    const { id, type } = await startBatch(app, { action: 'disable', user_ids: ids });
    await jobEnded(app, id);
    const registry = app.nest.get(JobRegistry);
    const perform = () => Promise.reject(new Error('a fault of its own'));
    registry.register({ ...registry.find(type)!, type: 'test.broken', perform });
    await app.database.query(`UPDATE job_rows SET status = NULL WHERE job_id = $1 AND index = 1`, [id]);
    await app.database.query(
      `UPDATE jobs SET status = 'running', finished_at = NULL, done = 0, holder = gen_random_uuid(),
              held_until = clock_timestamp(), breakdowns = 3, type = 'test.broken'
       WHERE id = $1`,
      [id],
    );
    expect(await jobEnded(app, id)).toMatchObject({ status: 'failed', done: 2, failed: 0 });
    const results = await resultsOf(app, id);
    expect(results.map(({ status }) => status)).toEqual(['ok', 'skipped', 'ok']);
    expect(await app.database.query('SELECT breakdowns FROM jobs WHERE id = $1', [id])).toEqual([
      { breakdowns: 5 },
    ]);
  });
});

describe('a cancelled job', () => {
  it('stops: rows not done are skipped, including those in progress', async () => {
    const { ids, job } = await heldBatch(30);
    const answer = await cancel(job.id);
    expect(answer).toMatchObject({
      status: 202,
      body: { id: job.id, status: 'cancelled', done: 0, failed: 0 },
    });
    expect(answer.get('Location')).toBe(`/api/jobs/${job.id}`);
    await held?.release();
    expect((await cancel(job.id)).body).toEqual(answer.body);
    expect((await resultsOf(app, job.id)).map(({ status }) => status)).toEqual(ids.map(() => 'skipped'));
    // Its rows have left the queue, so another job gets through.
    await batch(app, { action: 'enable', user_ids: [NOBODY] });
    expect(await disabledOf(ids)).toBe(0);
    const entries = (await app.as(app.admin, 'get', `/api/audit?target_id=${job.id}`)).body as {
      action: string;
    }[];
    expect(entries.map(({ action }) => action)).toEqual(['job.cancel', 'job.create']);
  });

  it('has done exactly what its results say, at whatever moment it was cancelled', async () => {
    for (let round = 0; round < 4; round++) {
      const ids = await people(40);
      const { id } = await startBatch(app, { action: 'disable', user_ids: ids });
      await until(async () => (await readJob(app, id)).status !== 'queued');
      await sleep(round * 30);
      await Promise.all([cancel(id), cancel(id)]);
      const { done, failed, finished_at: finishedAt } = await jobEnded(app, id);
      const results = await resultsOf(app, id);
      const counted = results.filter(({ status }) => status === 'ok').length;
      expect([results.length, done, failed]).toEqual([40, counted, 0]);
      // Late rows are rolled back by now or no longer wait.
      await batch(app, { action: 'enable', user_ids: [NOBODY] });
      expect(await disabledOf(ids)).toBe(counted);
      expect((await readJob(app, id)).finished_at).toBe(finishedAt);
    }
  });

  it('that has already ended stays unchanged', async () => {
    const { job } = await batch(app, { action: 'enable', user_ids: [NOBODY] });
    expect(await cancel(job.id)).toMatchObject({ status: 202, body: job });
  });
});

describe('the stream of a job', () => {
  it('reports the state of the job, its progress and its end', async () => {
    const { job } = await heldBatch(20);
    const stream = await followed(app.url, app.admin, job.id);
    await until(() => stream.events.length > 0);
    expect(stream.type).toBe('text/event-stream; charset=utf-8');
    expect(stream.events).toMatchObject([{ event: 'job', data: { id: job.id, status: 'running', done: 0 } }]);
    await app.database.query(`UPDATE job_rows SET status = 'ok' WHERE job_id = $1 AND index = 19`, [job.id]);
    await until(() => stream.events.length > 1);
    await held?.release();
    await stream.ended;
    expect(stream.events[1]).toMatchObject({ event: 'progress', data: { id: job.id, done: 1 } });
    expect(stream.events.at(-1)).toEqual({ event: 'complete', data: await readJob(app, job.id) });
    expect(stream.events.at(-1)?.data).toMatchObject({ status: 'succeeded', done: 20 });
  });

  it('ends at once for a job that has ended', async () => {
    const { job } = await batch(app, { action: 'enable', user_ids: [NOBODY] });
    const stream = await followed(app.url, app.admin, job.id);
    await stream.ended;
    expect(stream.events).toEqual([
      { event: 'job', data: job },
      { event: 'complete', data: job },
    ]);
  });

  it('ends with the session', async () => {
    const owner = await createUserWith(app, ['users:write']);
    const { job } = await heldBatch(1, owner);
    const stream = await followed(app.url, owner, job.id);
    await until(() => stream.events.length > 0);
    await app.as(owner, 'post', '/api/auth/logout').expect(204);
    await stream.ended;
    expect(stream.events.at(-1)).toMatchObject({ event: 'error', data: { error: { code: 'UNAUTHORIZED' } } });
  });

  it('ends with the access token', async () => {
    const owner = await createUserWith(app, ['users:write']);
    const { job } = await heldBatch(1, owner);
    expireSoon(app);
    const stream = await followed(app.url, owner, job.id);
    await stream.ended;
    expect(stream.events.at(-1)).toMatchObject({ event: 'error', data: { error: { code: 'UNAUTHORIZED' } } });
    await cancel(job.id);
  });

  it('keeps an idle connection open with comments', async () => {
    const streams = app.nest.get(JobStreams);
    const { commentIntervalMs: commentEveryMs } = streams;
    streams.commentIntervalMs = 20;
    const { job } = await heldBatch(1);
    const stream = await followed(app.url, app.admin, job.id);
    await until(() => stream.comments.length > 1);
    streams.commentIntervalMs = commentEveryMs;
    expect(stream.events).toMatchObject([{ event: 'job' }]);
    stream.leave();
    await cancel(job.id);
  });

  it('takes one of a hundred slots on an instance, and frees it when the client disconnects', async () => {
    const { job } = await heldBatch(1);
    const all: Awaited<ReturnType<typeof followed>>[] = [];
    const open = async (): Promise<boolean> => {
      try {
        return all.push(await followed(app.url, app.admin, job.id)) > 0;
      } catch (error) {
        expect(String(error)).toContain('the stream answered 503');
        return false;
      }
    };
    const gone = new Set<unknown>();
    await Promise.all(Array.from({ length: 100 }, open));
    for (const each of all) void each.ended.then(() => gone.add(each));
    // A busy database may end a stream, which frees its slot.
    await until(async () => !(await open()), 20_000, 'a refusal');
    await until(() => all.length - gone.size <= 100);
    expect(all.length).toBeGreaterThanOrEqual(100);
    const before = all.length;
    all[0]?.leave();
    await until(open, 20_000, 'room for one');
    expect(all.length).toBe(before + 1);
    await until(async () => !(await open()), 20_000, 'another refusal');
    for (const each of all) each.leave();
    await cancel(job.id);
  });

  it('stops querying within a second after the client leaves, and sends an error when the service stops', async () => {
    const { job } = await heldBatch(1);
    const { nest } = app;
    const gone = await followed(app.url, app.admin, job.id);
    const stays = await followed(app.url, app.admin, job.id);
    await until(() => gone.events.length > 0 && stays.events.length > 0);
    const connections = () =>
      new Promise<number>((resolve) => app.server.getConnections((_, count) => resolve(count)));
    const before = await connections();
    gone.leave();
    await until(async () => (await connections()) < before);
    nest.get(LifecycleService).drain();
    await stays.ended;
    nest.get(LifecycleService).serve();
    expect(stays.events.at(-1)).toMatchObject({ event: 'error', data: { error: { code: 'OVERLOADED' } } });
    // The stop rolls back the open rows and releases the job for another instance at once.
    await nest.get(JobWorker).onModuleDestroy();
    const [row] = await app.database.query('SELECT holder, status FROM jobs WHERE id = $1', [job.id]);
    expect(row).toEqual({ holder: null, status: 'running' });
    await cancel(job.id);
  });
});
