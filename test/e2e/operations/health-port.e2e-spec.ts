import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { freePort } from '../../support/http/free-port.js';
import { Instance } from '../../support/app/instance.js';
import { MASTER_KEY } from '../../support/app/secrets.js';
import { type Answer, closeConnections, send } from '../../support/http/send.js';
import { ADMIN } from '../../support/app/test-app.js';
import { TestDatabase } from '../../support/database/test-database.js';
import { until } from '../../support/app/until.js';

const METRICS_TOKEN = 'metrics-token-of-the-health-port';
const CALLERS = 600;

// The tests run in the order of a service's life.
describe('HEALTH_PORT', () => {
  let database: TestDatabase;
  let instance: Instance;
  let url: string;
  let first: Answer | null = null;

  beforeAll(async () => {
    database = await TestDatabase.create();
    const port = await freePort();
    url = `http://127.0.0.1:${port}`;
    instance = await Instance.spawn({
      env: {
        ...database.addresses,
        MASTER_KEY,
        METRICS_TOKEN,
        ADMIN_PASSWORD: ADMIN.password,
        HEALTH_PORT: String(port),
        SHUTDOWN_GRACE_MS: '3000',
      },
    });
    await instance.until(async () => {
      const answer = await probe('/health/startup').catch(() => null);
      first ??= answer;
      return answer?.status === 200;
    });
  });
  afterAll(async () => {
    closeConnections();
    await instance.stop('SIGKILL');
    await database.drop();
  });

  const probe = (path: string, headers = {}) => send(url, { path, headers });

  it('answers 503 to the startup probe from the beginning of the start', () => {
    expect(first).toMatchObject({ status: 503, json: { error: { startup: { status: 'down' } } } });
  });

  it('answers the health routes in the format of the main port', async () => {
    for (const path of ['/health', '/health/live', '/health/ready', '/health/startup']) {
      await until(async () => (await probe(path)).status === 200);
      const [here, main] = [await probe(path), await send(instance.url, { path })];
      const shape = ({ json }: Answer) => JSON.stringify(json).replaceAll(/"responseTime":\d+/g, '');
      expect([path, here.status, shape(here)]).toEqual([path, main.status, shape(main)]);
      expect(here.headers).toMatchObject({
        'cache-control': 'no-store',
        'x-content-type-options': 'nosniff',
      });
    }
  });

  it('serves metrics only with the METRICS_TOKEN', async () => {
    expect(await probe('/metrics')).toMatchObject({ status: 401, json: { error: { code: 'UNAUTHORIZED' } } });
    const wrong = await probe('/metrics', { Authorization: 'Bearer nonsense' });
    expect(wrong).toMatchObject({
      status: 401,
      headers: { 'www-authenticate': expect.stringContaining('invalid_token') },
    });
    const answer = await probe('/metrics', { Authorization: `Bearer ${METRICS_TOKEN}` });
    expect(answer.status).toBe(200);
    expect(answer.text).toContain('# TYPE http_requests_total counter');
  });

  it('serves no other route', async () => {
    expect(await probe('/api/users/me')).toMatchObject({
      status: 404,
      json: { error: { code: 'NOT_FOUND' } },
    });
    const post = await send(url, { method: 'POST', path: '/health/live' });
    expect([post.status, post.headers.allow]).toEqual([405, 'GET, HEAD']);
  });

  it('answers within a second while the service is flooded with requests', async () => {
    const flood = Promise.all(
      Array.from({ length: CALLERS }, () => send(instance.url, { path: '/api/users/me' })),
    );
    for (let round = 0; round < 5; round++) {
      for (const path of ['/health/live', '/health/ready']) {
        const began = performance.now();
        expect([path, (await probe(path)).status]).toEqual([path, 200]);
        expect(performance.now() - began).toBeLessThan(1000);
      }
    }
    await flood;
  });

  it('reports not ready, but alive, while the service stops', async () => {
    instance.process.kill('SIGTERM');
    await until(async () => (await probe('/health/ready')).status === 503);
    expect((await probe('/health/live')).status).toBe(200);
    expect(instance.stderr).toBe('');
  });
});
