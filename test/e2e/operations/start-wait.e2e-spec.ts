import { Agent, request as httpRequest } from 'node:http';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { freePort } from '../../support/http/free-port.js';
import { Instance } from '../../support/app/instance.js';
import { MASTER_KEY } from '../../support/app/secrets.js';
import { send } from '../../support/http/send.js';
import { ADMIN } from '../../support/app/test-app.js';
import { TcpProxy } from '../../support/faults/tcp-proxy.js';
import { TestDatabase } from '../../support/database/test-database.js';
import { expectEnvelope } from '../../support/http/envelope.js';
import { until } from '../../support/app/until.js';

const PRODUCTION = {
  NODE_ENV: 'production',
  PUBLIC_URL: '',
  MASTER_KEY,
  METRICS_TOKEN: 'sixteen characters or so',
  ADMIN_PASSWORD: ADMIN.password,
  SHUTDOWN_GRACE_MS: '0',
  LOG_LEVEL: 'info',
};

let database: TestDatabase;
let path: TcpProxy;
let instance: Instance | null = null;
beforeAll(async () => {
  database = await TestDatabase.create();
  path = await TcpProxy.before(database.serviceUrl);
});
afterEach(async () => {
  await instance?.stop('SIGKILL');
});
afterAll(async () => {
  await path.cut();
  await database.drop();
});

/** Starts an instance whose database is away. */
async function startWithout(env: Readonly<Record<string, string>> = {}) {
  await path.cut();
  const port = await freePort();
  const addresses = Object.fromEntries(
    Object.entries(database.addresses).map(([name, url]) => [name, path.through(url)]),
  );
  instance = await Instance.spawn({ env: { ...PRODUCTION, ...addresses, PORT: String(port), ...env } });
  return { started: instance, url: `http://127.0.0.1:${port}` };
}

/** Sends a request over a connection that is kept as long as the server keeps it. */
function ask(url: string, agent: Agent): Promise<number | string> {
  return new Promise((resolve) => {
    const request = httpRequest(url, { agent }, (response) => {
      response.resume().once('end', () => resolve(response.statusCode ?? 0));
    });
    request.once('error', (error) => resolve(String(error))).end();
  });
}

const linesOf = ({ stdout }: Instance, text: string): Record<string, unknown>[] =>
  stdout
    .split('\n')
    .filter((line) => line.includes(text))
    .map((line) => JSON.parse(line) as Record<string, unknown>);

describe('a start whose database is away', () => {
  it('waits, logs every few seconds, and answers probes without dropping one when the database returns', async () => {
    const { started, url } = await startWithout();
    const listens = () =>
      send(url, { path: '/health/live' }).then(
        ({ status }) => status === 200,
        () => false,
      );
    await started.until(listens);
    const startup = await send(url, { path: '/health/startup' });
    expect([startup.status, startup.json]).toMatchObject([503, { status: 'error', error: { startup: {} } }]);
    expect((await send(url, { path: '/health/ready' })).status).toBe(503);
    const health = await send(url, { path: '/health' });
    expect([health.status, health.json]).toMatchObject([
      503,
      { status: 'error', version: expect.stringMatching(/^\d+\.\d+\.\d+/), schema: 'unknown' },
    ]);
    expect(health.json).toHaveProperty('commit');
    const refused = await send(url, { path: '/api/users/me' });
    expectEnvelope(refused, 'OVERLOADED');
    expect(refused.headers).toMatchObject({
      'retry-after': '1',
      'content-security-policy': "default-src 'none';frame-ancestors 'none'",
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
    });
    await started.until(() => linesOf(started, 'waiting for the database').length >= 2);
    expect(linesOf(started, 'waiting for the database')).toContainEqual(
      expect.objectContaining({ level: 'warn', msg: expect.stringContaining('ECONNREFUSED') }),
    );

    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const seen = new Set<number | string>();
    await path.restore();
    await started.until(async () => {
      const status = await ask(`${url}/health/startup`, agent);
      seen.add(status);
      return status === 200;
    });
    agent.destroy();
    expect([...seen]).toEqual([503, 200]);
    await until(() => linesOf(started, 'serving http').length === 1);
    expect(linesOf(started, 'PUBLIC_URL is not set')).toMatchObject([{ level: 'warn' }]);
    expect(linesOf(started, 'ADMIN_EMAIL is not set')).toMatchObject([{ level: 'warn' }]);
    expect(await started.stop('SIGTERM')).toBe(0);
    expect(started.stderr).toBe('');
  });

  it('gives up after DB_START_TIMEOUT_SECONDS', async () => {
    const { started } = await startWithout({ DB_START_TIMEOUT_SECONDS: '1' });
    expect(await started.exitCode).toBe(1);
    expect(started.stderr).toMatch(
      /^Gatehouse could not start: The database cannot be reached: .*ECONNREFUSED/,
    );
  });

  it('exits at once when it is stopped', async () => {
    const { started } = await startWithout();
    await started.until(() => started.stdout.includes('waiting for the database'));
    expect(await started.stop('SIGTERM')).toBe(0);
    expect(started.stderr).toBe('');
  });
});
