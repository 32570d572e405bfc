import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { createParser } from 'eventsource-parser';
import type { RowStatus } from '../../../src/modules/jobs/job-registry.service.js';
import type { UserBatchDto as BatchBody } from '../../../src/modules/user-batches/dto/user-batch.dto.js';
import { bearer } from '../http/send.js';
import type { TestUser, TestApp } from '../app/test-app.js';
import { until } from '../app/until.js';

/** A job as a client reads it. */
export interface JobBody {
  readonly id: string;
  readonly type: string;
  readonly dry_run: boolean;
  readonly status: 'queued' | 'running' | 'succeeded' | 'failed' | 'cancelled';
  readonly total: number | null;
  readonly done: number;
  readonly failed: number;
  readonly created_at: string;
  readonly started_at: string | null;
  readonly finished_at: string | null;
}

export interface ResultBody {
  readonly index: number;
  readonly id?: string;
  readonly line?: number;
  readonly email?: string;
  readonly action?: string;
  readonly status: RowStatus;
  readonly error?: { readonly code: string; readonly message: string };
}

/** Starts a batch on users, by default as the administrator. */
export async function startBatch(app: TestApp, body: BatchBody, by: TestUser = app.admin): Promise<JobBody> {
  const answer = await app.as(by, 'post', '/api/users/batch').send(body);
  if (answer.status !== 202) throw new Error(`the batch answered ${answer.status}: ${answer.text}`);
  return answer.body as JobBody;
}

export async function readJob(app: TestApp, id: string): Promise<JobBody> {
  const answer = await app.as(app.admin, 'get', `/api/jobs/${id}`);
  if (answer.status !== 200) throw new Error(`the job answered ${answer.status}: ${answer.text}`);
  return answer.body as JobBody;
}

export async function jobEnded(app: TestApp, id: string): Promise<JobBody> {
  let job = await readJob(app, id);
  await until(
    async () => (job = await readJob(app, id)).finished_at !== null,
    20_000,
    `the job ${id} has ended`,
  );
  return job;
}

/** Returns all results, page by page. */
export async function resultsOf(app: TestApp, id: string): Promise<ResultBody[]> {
  const results: ResultBody[] = [];
  for (let path: string | undefined = `/api/jobs/${id}/results?limit=100`; path !== undefined;) {
    const answer = await app.as(app.admin, 'get', path);
    if (answer.status !== 200) throw new Error(`the results answered ${answer.status}: ${answer.text}`);
    results.push(...(answer.body as ResultBody[]));
    path = /^<([^>]+)>; rel="next"$/.exec(answer.get('Link') ?? '')?.[1];
  }
  return results;
}

/** Runs a batch to completion. */
export async function batch(
  app: TestApp,
  body: BatchBody,
  by: TestUser = app.admin,
): Promise<{ job: JobBody; results: ResultBody[] }> {
  const { id } = await startBatch(app, body, by);
  const job = await jobEnded(app, id);
  return { job, results: await resultsOf(app, id) };
}

/**
 * Creates a finished job that belongs to a user who need not be allowed to start one.
 * @returns its ID
 */
export async function endedJobOf(app: TestApp, owner: TestUser): Promise<string> {
  const { job } = await batch(app, { action: 'enable', user_ids: [owner.id] });
  await app.database.query('UPDATE jobs SET owner_id = $2 WHERE id = $1', [job.id, owner.id]);
  return job.id;
}

export interface Followed {
  readonly type: string | undefined;
  readonly events: { event: string; data: unknown }[];
  readonly comments: string[];
  /** Resolves when the stream ends, in whatever way. */
  readonly ended: Promise<void>;
  leave(): void;
}

/** Follows a job's events over a separate connection. */
export async function followed(url: string, by: TestUser, id: string): Promise<Followed> {
  const request = get(`${url}/api/jobs/${id}/stream`, { headers: bearer(by), agent: false });
  const [answer] = (await once(request, 'response')) as [IncomingMessage];
  if (answer.statusCode !== 200) {
    answer.resume();
    throw new Error(`the stream answered ${answer.statusCode}`);
  }
  const events: Followed['events'] = [];
  const comments: string[] = [];
  const parser = createParser({
    onComment: (comment) => comments.push(comment),
    onEvent: ({ event = '', data }) => events.push({ event, data: JSON.parse(data) as unknown }),
  });
  answer.setEncoding('utf8').on('data', (text: string) => parser.feed(text));
  answer.on('error', () => {});
  const ended = new Promise<void>((resolve) => answer.once('close', resolve));
  return { type: answer.headers['content-type'], events, comments, ended, leave: () => answer.destroy() };
}
