import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { LifecycleService } from '../../../src/platform/lifecycle/lifecycle.service.js';
import { stopBackgroundWork } from '../../support/app/background-work.js';
import { send } from '../../support/http/send.js';
import { statementsOf } from '../../support/database/statements.js';
import { TcpProxy } from '../../support/faults/tcp-proxy.js';
import { TestApp } from '../../support/app/test-app.js';
import { TestDatabase } from '../../support/database/test-database.js';
import { until } from '../../support/app/until.js';

const UP = { status: 'up' };
/** The facts about the build. Only a build knows its commit. */
const BUILD = {
  version: expect.stringMatching(/^\d+\.\d+\.\d+$/),
  commit: null,
  schema: expect.stringMatching(/^\d{13}$/),
};
const DATABASE_UP = { status: 'up', responseTime: expect.any(Number) };

const whole = (status: string, info: object, error: object) => ({
  status,
  info,
  error,
  details: { ...info, ...error },
});

// The tests run in the order of a service's life, and each advances it one step.
describe('the health routes', () => {
  let app: TestApp;
  let database: TestDatabase;
  beforeAll(async () => {
    database = await TestDatabase.create();
    app = await TestApp.create({ database });
  });
  afterAll(() => app.close());

  const probes = (count: number) =>
    Promise.all(Array.from({ length: count }, () => send(app.url, { path: '/health/ready' })));
  const probe = async (path: string) => {
    const answer = await app.request('get', path);
    return { status: answer.status, body: answer.body as unknown, cache: answer.get('cache-control') };
  };

  it('answer 200 in the format of Terminus while the service serves', async () => {
    const found = {
      all: await probe('/health'),
      live: await probe('/health/live'),
      ready: await probe('/health/ready'),
      startup: await probe('/health/startup'),
    };
    const all = ok({ startup: UP, serving: UP, database: DATABASE_UP });
    expect(found).toEqual({
      all: { ...all, body: { ...all.body, ...BUILD } },
      live: ok({}),
      ready: ok({ serving: UP, database: DATABASE_UP }),
      startup: ok({ startup: UP }),
    });
  });

  it('send no query while the heartbeat arrives', async () => {
    await stopBackgroundWork(app);
    await until(async () => (await statementsOf(() => probes(100))) === 0);
  });

  it('need no token and ignore an invalid one', async () => {
    const answer = await app.request('get', '/health/ready').set('Authorization', 'Bearer nonsense');
    expect(answer.status).toBe(200);
  });

  it.each(['', '/live', '/ready', '/startup'])('ignore the query: /health%s', async (path) => {
    for (const query of ['verbose=1', 'a=1&a=2', '%zz', '__proto__=1', 'x=%00']) {
      const answer = await send(app.url, { path: `/health${path}?${query}` });
      expect([query, answer.status]).toEqual([query, 200]);
    }
  });

  it('answer 503 in their own format while draining, except liveness and startup', async () => {
    app.nest.get(LifecycleService).drain();
    const serving = { serving: { status: 'down' } };
    expect(await probe('/health/ready')).toMatchObject({
      status: 503,
      body: whole('error', { database: DATABASE_UP }, serving),
    });
    expect(await probe('/health')).toMatchObject({
      status: 503,
      body: whole('error', { startup: UP, database: DATABASE_UP }, serving),
    });
    expect(await probe('/health/live')).toEqual(ok({}));
    expect(await probe('/health/startup')).toEqual(ok({ startup: UP }));
    app.nest.get(LifecycleService).serve();
    expect((await probe('/health/ready')).status).toBe(200);
  });

  it('report alive but not ready when the database is gone', async () => {
    await database.drop();
    expect(await probe('/health/live')).toEqual(ok({}));
    expect(await probe('/health/startup')).toEqual(ok({ startup: UP }));
    await until(async () => (await probe('/health/ready')).status === 503, 5000);
    for (const path of ['/health', '/health/ready']) {
      const { status, body } = await probe(path);
      expect([path, status, body]).toMatchObject([
        path,
        503,
        { status: 'error', error: { database: { status: 'down' } }, details: { serving: UP } },
      ]);
      // The driver's message belongs in the log only.
      expect(JSON.stringify(body)).not.toMatch(/test_|postgres|does not exist|ECONN/i);
    }
  });
});

describe('the health routes when heartbeats use another path than requests', () => {
  it('query the database at most once a second, however many probes arrive', async () => {
    const database = await TestDatabase.create();
    const path = await TcpProxy.before(database.serviceUrl);
    const app = await TestApp.create({
      database,
      config: { LISTEN_DATABASE_URL: path.through(database.serviceUrl) },
    });
    try {
      await stopBackgroundWork(app);
      const began = performance.now();
      const probes = () =>
        Promise.all(Array.from({ length: 200 }, () => send(app.url, { path: '/health/ready' })));
      const asked = await statementsOf(async () => {
        for (const { status } of await probes()) expect(status).toBe(200);
      });
      expect(asked).toBeGreaterThan(0);
      // One more for the instance's maintenance, which continues meanwhile.
      expect(asked).toBeLessThanOrEqual(2 + (performance.now() - began) / 1000);
    } finally {
      await app.close();
      await path.cut();
      await database.drop();
    }
  });
});

const ok = (info: object) => ({ status: 200, body: whole('ok', info, {}), cache: 'no-store' });
