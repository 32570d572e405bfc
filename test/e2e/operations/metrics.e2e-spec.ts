import { readFile } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { stopBackgroundWork } from '../../support/app/background-work.js';
import { HeldLock } from '../../support/database/held-lock.js';
import { ADMIN, TestApp } from '../../support/app/test-app.js';
import { until } from '../../support/app/until.js';
import { parseMetrics, type Sample } from '../../support/http/metrics-text.js';

/** The time within which a request is counted after its response was sent. */
const COUNTED_WITHIN_MS = 5000;
const BUCKETS = ['0.005', '0.01', '0.025', '0.05', '0.1', '0.25', '0.5', '1', '2.5', '5', '10', '+Inf'];
const HISTOGRAMS = {
  http_request_duration_seconds: ['method', 'route', 'status'],
  db_query_duration_seconds: ['operation'],
};

describe('GET /metrics', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await TestApp.create();
    await stopBackgroundWork(app);
  });
  afterAll(() => app.close());

  const scrape = async () => parseMetrics((await app.request('get', '/metrics').expect(200)).text);
  /**
   * Returns the counter's value. A request is counted only after its response was sent, so this polls until
   * `atLeast` is reached.
   */
  const count = async (labels: Sample['labels'], atLeast = 1): Promise<number> => {
    const read = async () =>
      (await scrape())
        .filter(({ name }) => name === 'http_requests_total')
        .filter((sample) => Object.entries(labels).every(([key, value]) => sample.labels[key] === value))
        .reduce((sum, { value }) => sum + value, 0);
    let found = 0;
    await until(async () => (found = await read()) >= atLeast, COUNTED_WITHIN_MS, JSON.stringify(labels));
    return found;
  };

  const wrongPassword = () =>
    app.request('post', '/api/auth/login').send({ email: ADMIN.email, password: 'not the one' });
  const pool = async () => {
    const samples = await scrape();
    const value = (state: string) =>
      samples.find(({ name }) => name === `db_pool_connections_${state}`)?.value ?? NaN;
    return {
      total: value('total'),
      idle: value('idle'),
      active: value('active'),
      waiting: value('waiting'),
    };
  };

  const poolWith = async (active: number) => {
    let state = await pool();
    await until(async () => (state = await pool()).active === active, COUNTED_WITHIN_MS, `${active} active`);
    return state;
  };

  it('answers in the Prometheus text format and forbids caching', async () => {
    const answer = await app.request('get', '/metrics');
    expect(answer.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
    expect(answer.get('cache-control')).toBe('no-store');
    for (const [name, type] of [
      ['http_requests_total', 'counter'],
      ['http_request_duration_seconds', 'histogram'],
      ['db_query_duration_seconds', 'histogram'],
      ['db_pool_connections_total', 'gauge'],
      ['db_pool_connections_idle', 'gauge'],
      ['db_pool_connections_active', 'gauge'],
      ['db_pool_connections_waiting', 'gauge'],
      ['horizon_lag_seconds', 'gauge'],
    ]) {
      expect(answer.text).toContain(`# TYPE ${name} ${type}\n`);
    }
  });

  it('serves only metrics that docs/reference/metrics.md lists', async () => {
    const page = await readFile(new URL('../../../docs/reference/metrics.md', import.meta.url), 'utf8');
    const told = [...page.matchAll(/`(\w+\*?)`/g)].map(([, name = '']) => name);
    const { text } = await app.request('get', '/metrics');
    const names = [...text.matchAll(/^# TYPE (\w+) /gm)].map(([, name = '']) =>
      name.replace(/^(process|nodejs)_.*/, '$1_*'),
    );
    expect([...new Set(names)].filter((name) => !told.includes(name))).toEqual([]);
  });

  it('has exactly the labels and buckets of the contract', async () => {
    await app.as(app.admin, 'get', '/api/users');
    await count({ route: '/api/users', method: 'GET' });
    const samples = await scrape();
    const requests = samples.filter(({ name }) => name === 'http_requests_total');
    expect(new Set(requests.flatMap(({ labels }) => Object.keys(labels).toSorted()))).toEqual(
      new Set(['method', 'route', 'status']),
    );
    for (const [histogram, labels] of Object.entries(HISTOGRAMS)) {
      const own = samples.filter(({ name }) => name === `${histogram}_bucket`);
      expect(own.length).toBeGreaterThan(0);
      expect(new Set(own.map((sample) => Object.keys(sample.labels).toSorted().join()))).toEqual(
        new Set([[...labels, 'le'].toSorted().join()]),
      );
      const series = Map.groupBy(own, (sample) => labels.map((label) => sample.labels[label]).join());
      for (const buckets of series.values())
        expect(buckets.map((sample) => sample.labels['le'])).toEqual(BUCKETS);
    }
    const operations = samples
      .map(({ labels }) => labels['operation'])
      .filter((operation) => operation !== undefined);
    const known = ['select', 'insert', 'update', 'delete', 'copy', 'other'];
    expect([...new Set(operations)].filter((operation) => !known.includes(operation))).toEqual([]);
    expect(operations).toContain('select');
  });

  it('counts and times a request by its route pattern', async () => {
    const ids = [(await app.createUser()).id, (await app.createUser()).id];
    for (const id of ids) await app.as(app.admin, 'get', `/api/users/${id}`).expect(200);
    const labels = { method: 'GET', route: '/api/users/:id', status: '200' };
    expect(await count(labels, ids.length)).toBe(ids.length);
    const samples = await scrape();
    const timed = samples.find(
      ({ name, labels: own }) =>
        name === 'http_request_duration_seconds_count' &&
        own['route'] === labels.route &&
        own['status'] === '200',
    );
    expect(timed).toEqual({ name: 'http_request_duration_seconds_count', labels, value: ids.length });
    expect(JSON.stringify(samples)).not.toContain(ids[0]);
  });

  it('counts refused requests: 400, 401, 404 and 405', async () => {
    const refusals = [
      [{ method: 'GET', route: '/api/users/me', status: '401' }, () => app.request('get', '/api/users/me')],
      [{ method: 'POST', route: '/api/auth/login', status: '401' }, wrongPassword],
      [
        { method: 'POST', route: '/api/users', status: '400' },
        () => app.request('post', '/api/users').send({}),
      ],
      [{ method: 'GET', status: '404' }, () => app.request('get', '/api/nothing')],
      [{ method: 'PUT', status: '405' }, () => app.request('put', '/api/users')],
    ] as const;
    for (const [labels, refused] of refusals) {
      const before = await count(labels, 0);
      expect((await refused()).status).toBe(Number(labels.status));
      expect([labels, await count(labels, before + 1)]).toEqual([labels, before + 1]);
    }
  });

  it('does not grow with the number of requested paths', async () => {
    const labels = { method: 'GET', route: 'unmatched' };
    const before = await count(labels, 0);
    for (const path of ['/api/warm-up', '/%zz']) await app.request('get', path);
    await count(labels, before + 2);
    const series = (await scrape()).length;
    const tails = Array.from(
      { length: 300 },
      (_, index) => `${['', 'api/', 'docs/', 'health/'][index % 4]}x${index}${index % 3 === 0 ? '/%zz' : ''}`,
    );
    for (let start = 0; start < tails.length; start += 25) {
      const batch = tails.slice(start, start + 25);
      await Promise.all(batch.map((tail) => app.request('get', `/${tail}`)));
    }
    expect(await count(labels, before + 2 + tails.length)).toBe(before + 2 + tails.length);
    expect((await scrape()).length).toBe(series);
  });

  it('labels uncommon methods as OTHER', async () => {
    for (const method of ['PROPFIND', 'MKCOL', 'LINK']) await send(app.url, method);
    expect(await count({ method: 'OTHER' }, 3)).toBe(3);
    const methods = new Set((await scrape()).flatMap(({ labels }) => labels['method'] ?? []));
    expect([...methods].filter((method) => /PROPFIND|MKCOL|LINK/.test(method))).toEqual([]);
  });

  it('shows a connection in use as active until it returns to the pool', async () => {
    const lock = await HeldLock.takeUsers(app.database.url);
    try {
      const waiting = [1, 2].map(() => wrongPassword().then(({ status }) => status));
      const held = await poolWith(2);
      expect(held).toEqual({ total: held.idle + 2, idle: expect.any(Number), active: 2, waiting: 0 });
      await lock.release();
      expect(await Promise.all(waiting)).toEqual([401, 401]);
      expect(await poolWith(0)).toMatchObject({ active: 0, waiting: 0 });
    } finally {
      await lock.release();
    }
  });
});

describe('GET /metrics with a METRICS_TOKEN', () => {
  const token = 'a token of the metrics 1';
  let app: TestApp;
  beforeAll(async () => {
    app = await TestApp.create({ config: { METRICS_TOKEN: token.replaceAll(' ', '-') } });
  });
  afterAll(() => app.close());

  it.each([
    ['no token', undefined, 401, 'Bearer'],
    ['another token', 'Bearer another', 401, 'Bearer error="invalid_token"'],
    ['the token with a tail', 'Bearer a-token-of-the-metrics-1x', 401, 'Bearer error="invalid_token"'],
    ['the token', 'Bearer a-token-of-the-metrics-1', 200, undefined],
    ['the token, whatever the case of the scheme', 'bEARER a-token-of-the-metrics-1', 200, undefined],
  ])('answers %s', async (_, authorization, status, challenge) => {
    const request = app.request('get', '/metrics');
    if (authorization !== undefined) void request.set('Authorization', authorization);
    const answer = await request;
    expect([answer.status, answer.get('www-authenticate')]).toEqual([status, challenge]);
    if (status === 401) expect(answer.body).toMatchObject({ error: { code: 'UNAUTHORIZED' } });
  });

  it('rejects an access token', async () => {
    expect((await app.as(app.admin, 'get', '/metrics')).status).toBe(401);
  });
});

function send(url: string, method: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(`${url}/api/users`, { method, agent: false }, (response) => {
      response.resume().once('end', () => resolve(response.statusCode));
    });
    request.once('error', reject).end();
  });
}
