import { Agent, request as httpRequest } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { getToken } from '@willsoto/nestjs-prometheus';
import type { Counter } from 'prom-client';
import type { Config } from '../../../src/config/config.js';
import { ConfigModule } from '../../../src/config/config.module.js';
import { SealWriter } from '../../../src/modules/audit/sealing/seal.writer.js';
import { WebhookMetrics } from '../../../src/modules/webhooks/sending/webhook.metrics.js';
import { Mailer } from '../../../src/platform/mail/mailer.service.js';
import { MAILS } from '../../../src/platform/metrics/metric-names.js';
import { StateSampler } from '../../../src/platform/metrics/state.sampler.js';
import { stopBackgroundWork } from '../../support/app/background-work.js';
import { TestApp, type TestUser } from '../../support/app/test-app.js';
import { settled } from '../../support/app/settled.js';
import { until } from '../../support/app/until.js';
import { wherePossible } from '../../support/app/where-possible.js';
import { startBatch } from '../../support/builders/jobs.js';
import { createWebhook } from '../../support/builders/webhooks.js';
import { noPromtool, parseMetrics, promtool, type Sample } from '../../support/http/metrics-text.js';

/** The limit of the issue. An instance that is never asked for anything else has about 350. */
const MAX_SERIES = 2000;
const SIGN_IN_LIMIT = 3;
/** Names that the contract fixes, and three of prom-client's own. */
const NAMES_ALLOWED = [
  'db_pool_connections_total',
  'nodejs_active_handles_total',
  'nodejs_active_requests_total',
  'nodejs_active_resources_total',
];

describe('the metrics of', () => {
  let app: TestApp;
  let user: TestUser;
  beforeAll(async () => {
    app = await TestApp.create({
      config: { RATE_LIMIT_SIGN_IN: SIGN_IN_LIMIT, OUTBOUND_ALLOW_PRIVATE: true },
    });
    await stopBackgroundWork(app);
    user = await app.createUser();
  });
  afterAll(() => app.close());

  const text = async () => (await app.request('get', '/metrics').expect(200)).text;
  const samples = async (): Promise<Sample[]> => parseMetrics(await text());
  /** Returns the value of the series with exactly these labels, or null if there is none. */
  const value = async (name: string, labels: Sample['labels'] = {}): Promise<number | null> => {
    const wanted = Object.entries(labels);
    const found = (await samples()).find(
      (sample) =>
        sample.name === name &&
        Object.keys(sample.labels).length === wanted.length &&
        wanted.every(([label, own]) => sample.labels[label] === own),
    );
    return found?.value ?? null;
  };
  const sample = () => app.nest.get(StateSampler).sample();

  it('callers tell hits of the cache from look-ups in the database', async () => {
    const counts = async () => ({
      hit: await value('principal_cache_lookups_total', { result: 'hit' }),
      miss: await value('principal_cache_lookups_total', { result: 'miss' }),
    });
    const caller = await app.createUser();
    const before = await counts();
    for (let request = 0; request < 3; request++) await app.as(caller, 'get', '/api/users/me').expect(200);
    const after = await counts();
    expect({ hit: after.hit! - before.hit!, miss: after.miss! - before.miss! }).toEqual({ hit: 2, miss: 1 });
    expect(await value('principal_cache_entries')).toBeGreaterThan(0);
    expect(await value('principal_cache_lookups_total', { result: 'bypass' })).toBe(0);
  });

  it('the database say that it answers and that notifications arrive', async () => {
    expect(await value('database_up')).toBe(1);
    await until(async () => (await value('database_listener_deaf')) === 0);
  });

  it('rate limits count each refusal under its bucket', async () => {
    expect(await value('rate_limit_refusals_total', { tier: 'anonymous' })).toBe(0);
    const login = () => app.request('post', '/api/auth/login').send({});
    let refused = 0;
    for (let attempt = 0; attempt < SIGN_IN_LIMIT + 2; attempt++) {
      if ((await login()).status === 429) refused++;
    }
    expect(refused).toBeGreaterThan(0);
    expect(await value('rate_limit_refusals_total', { tier: 'sign_in' })).toBe(refused);
  });

  it('the task queue show what waits and what has failed, by the names that this release knows', async () => {
    await app.database.query(`DELETE FROM graphile_worker._private_jobs`);
    await app.database.query(
      `SELECT graphile_worker.add_job('mail.send', '{}', run_at => now() - interval '5 minutes'),
              graphile_worker.add_job('mail.send', '{}', run_at => now() + interval '5 minutes'),
              graphile_worker.add_job('mail.of-a-later-release', '{}')`,
    );
    await app.database.query(
      `UPDATE graphile_worker._private_jobs SET attempts = max_attempts WHERE run_at > now() + interval '1 minute'`,
    );
    await sample();
    expect(await value('task_queue_tasks', { task: 'mail.send', state: 'waiting' })).toBe(1);
    expect(await value('task_queue_tasks', { task: 'mail.send', state: 'failed' })).toBe(1);
    expect(await value('task_queue_tasks', { task: 'other', state: 'waiting' })).toBe(1);
    expect(await value('task_queue_oldest_seconds')).toBeGreaterThanOrEqual(300);
    await app.database.query(`DELETE FROM graphile_worker._private_jobs`);
    await sample();
    expect(await value('task_queue_oldest_seconds')).toBe(0);
  });

  it('jobs show how long the oldest has waited', async () => {
    const { id } = await startBatch(app, { action: 'enable', user_ids: [user.id] });
    await app.database.query(`UPDATE jobs SET created_at = created_at - interval '1 hour' WHERE id = $1`, [
      id,
    ]);
    await sample();
    expect(await value('jobs_open', { status: 'queued' })).toBe(1);
    expect(await value('jobs_oldest_seconds')).toBeGreaterThanOrEqual(3600);
    await app.as(app.admin, 'delete', `/api/jobs/${id}`);
  });

  it('seals show the age of what lacks one', async () => {
    await app.as(app.admin, 'get', '/api/audit').expect(200);
    await sample();
    expect(await value('seal_lag_seconds')).toBeGreaterThan(0);
    await settled(app.database);
    await app.nest.get(SealWriter).sealSettled();
    await sample();
    expect(await value('seal_lag_seconds')).toBe(0);
    expect(await value('seal_entries_total')).toBeGreaterThan(0);
    expect(await value('seal_duration_seconds_count')).toBeGreaterThan(0);
  });

  it('exports count rows, and tell new ones from resumed ones', async () => {
    const exported = await app.as(app.admin, 'get', '/api/export/users?format=csv').expect(200);
    const rows = exported.text.trim().split('\n').length - 1;
    expect(rows).toBeGreaterThan(1);
    await until(async () => (await value('export_rows_total')) === rows);
    const after = String(exported.get('x-export-cursor'));
    await app
      .as(app.admin, 'get', `/api/export/users?format=csv&after=${encodeURIComponent(after)}&received=1`)
      .expect(200);
    await until(async () => (await value('export_rows_total')) === rows + rows - 1);
    expect(await value('exports_started_total', { kind: 'users', start: 'new' })).toBe(1);
    expect(await value('exports_started_total', { kind: 'users', start: 'resumed' })).toBe(1);
    await until(async () => (await value('exports_open')) === 0);
  });

  it('mails count those sent and those that failed', async () => {
    const mail = { to: 'somebody@example.com', subject: 'A mail', text: 'Hello' };
    const before = (await value('mails_total', { outcome: 'sent' })) ?? NaN;
    await app.nest.get(Mailer).send(mail);
    expect(await value('mails_total', { outcome: 'sent' })).toBe(before + 1);
    const config = { ...app.nest.get<Config>(ConfigModule.token), SMTP_URL: 'smtp://127.0.0.1:1' };
    const broken = new Mailer(config, app.nest.get<Counter>(getToken(MAILS)));
    await expect(broken.send(mail)).rejects.toThrow('not accepted');
    expect(await value('mails_total', { outcome: 'failed' })).toBe(1);
  });

  it('webhooks show how long the oldest due delivery of an active one has waited', async () => {
    const webhook = await createWebhook(app, 'http://127.0.0.1:9/hook', ['user.updated']);
    await app.as(app.admin, 'patch', `/api/users/${user.id}`).set('If-Match', '*').send({ name: 'Another' });
    await app.database.query(`UPDATE webhook_lanes SET due_at = due_at - interval '1 minute'`);
    const metrics = app.nest.get(WebhookMetrics);
    await metrics.sample();
    expect(await value('webhook_lag_seconds')).toBeGreaterThanOrEqual(60);
    await app
      .as(app.admin, 'patch', `/api/webhooks/${webhook.id}`)
      .set('If-Match', '*')
      .send({ status: 'paused' })
      .expect(200);
    await metrics.sample();
    expect(await value('webhook_lag_seconds')).toBe(0);
    expect(await value('webhooks_paused')).toBe(1);
  });

  it('HTTP stay below 2,000 series whatever is requested, and show what is requested now', async () => {
    await sample();
    const agent = new Agent({ keepAlive: true, maxSockets: 20 });
    const asked = await requestsForMuch(app, user);
    for (let start = 0; start < asked.length; start += 100)
      await Promise.all(asked.slice(start, start + 100).map((each) => send(app.url, agent, each)));
    agent.destroy();
    await app.as(app.admin, 'get', '/api/users').expect(200);
    const labels = { method: 'GET', route: '/api/users', status: '200' };
    await until(async () => (await value('http_request_duration_seconds_count', labels)) !== null);
    expect(await value('http_requests_total', labels)).toBeGreaterThan(0);
    const lines = await samples();
    const combinations = lines.filter(({ name }) => name === 'http_requests_total');
    expect(combinations.length).toBeGreaterThan(150);
    expect(lines.length).toBeLessThan(MAX_SERIES);
    expect(lines.filter(({ name }) => name === 'http_request_duration_seconds_count').length).toBe(75);
  });

  wherePossible(noPromtool, 'the names of metrics', () =>
    it('the service pass promtool, but for names that others fixed', async () => {
      const { output } = promtool(['check', 'metrics'], await text());
      const complaints = output.trim().split('\n');
      const names = complaints.map((line) => line.split(' ', 1)[0] ?? '');
      expect(names).toContain('db_pool_connections_total');
      expect(names.filter((name) => !NAMES_ALLOWED.includes(name))).toEqual([]);
    }),
  );
});

/** Routes that would end the session of the requests after them. */
const ENDS_SESSION = /\/auth\/|sessions|\/users\/me$/;

interface Asked {
  readonly method: string;
  readonly path: string;
  readonly headers: Record<string, string>;
  readonly body?: string;
}

/** Returns requests to every route in many ways, and to thousands of paths and methods that do not exist. */
async function requestsForMuch(app: TestApp, { token }: TestUser): Promise<Asked[]> {
  const document = (await app.request('get', '/openapi.json')).body as { paths: Record<string, object> };
  const known = Object.entries(document.paths).flatMap(([path, operations]) =>
    [...Object.keys(operations), 'patch', 'put', 'propfind'].flatMap((operation): Asked[] => {
      const method = operation.toUpperCase();
      const filled = path.replaceAll(/\{\w+\}/g, '0197c9a0-0000-7000-8000-000000000000');
      const signedIn: Record<string, string> = ENDS_SESSION.test(path)
        ? {}
        : { Authorization: `Bearer ${token}` };
      return [
        { method, path: filled, headers: {} },
        { method, path: filled, headers: signedIn },
        { method, path: `${filled}?no-such-parameter=1`, headers: signedIn },
        { method, path: filled, headers: { ...signedIn, 'Content-Type': 'application/json' }, body: '{' },
        { method, path: filled, headers: { ...signedIn, 'Content-Type': 'image/png' }, body: 'x' },
      ];
    }),
  );
  const methods = ['GET', 'POST', 'DELETE', 'MKCOL', 'LOCK'];
  const unknown = Array.from({ length: 3000 }, (_, index) => ({
    method: methods[index % methods.length]!,
    path: `/${['', 'api/', 'api/users/', 'health/'][index % 4]}x${index}/y`,
    headers: {},
  }));
  return [...known, ...unknown];
}

/** Sends a request and reads the head of its response. Some responses have no end. */
function send(url: string, agent: Agent, { method, path, headers, body }: Asked): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(`${url}${path}`, { method, headers, agent }, (response) => {
      if (response.headers['content-type']?.startsWith('text/event-stream') === true) response.destroy();
      response
        .resume()
        .once('close', resolve)
        .once('error', () => resolve());
    });
    request.once('error', reject).end(body);
  });
}
