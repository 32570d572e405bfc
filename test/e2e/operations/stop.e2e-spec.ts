import { Agent, request as httpRequest } from 'node:http';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { expectEnvelope } from '../../support/http/envelope.js';
import { addRows } from '../../support/builders/export-rows.js';
import { eventsOf, OpenExport } from '../../support/builders/exports.js';
import { HeldLock } from '../../support/database/held-lock.js';
import { Instance } from '../../support/app/instance.js';
import { RawConnection } from '../../support/http/raw-connection.js';
import { MASTER_KEY } from '../../support/app/secrets.js';
import { ADMIN, signIn as signInAs } from '../../support/app/test-app.js';
import { TestDatabase } from '../../support/database/test-database.js';
import { until } from '../../support/app/until.js';

/** Longer than any test may take, so that a test which ends earlier did not wait for it. */
const FOREVER_MS = '600000';

interface Answer {
  readonly status: number;
  readonly connection: string | undefined;
}

let database: TestDatabase;
const running: Instance[] = [];
const agents: Agent[] = [];
const trickles: NodeJS.Timeout[] = [];
let users: HeldLock | null = null;

beforeAll(async () => {
  database = await TestDatabase.create();
});
afterEach(async () => {
  for (const timer of trickles.splice(0)) clearInterval(timer);
  RawConnection.endAll();
  for (const agent of agents.splice(0)) agent.destroy();
  await users?.release();
  await Promise.all(running.splice(0).map((instance) => instance.stop('SIGKILL')));
});
afterAll(() => database.drop());

/** Starts an instance with a very long deadline, unless the test sets another. */
async function start(env: Record<string, string>): Promise<Instance> {
  const rest = { ADMIN_PASSWORD: ADMIN.password, LOG_LEVEL: 'info', SHUTDOWN_DEADLINE_MS: FOREVER_MS };
  const instance = await Instance.start({ env: { ...database.addresses, MASTER_KEY, ...rest, ...env } });
  running.push(instance);
  return instance;
}

/** Returns an agent that keeps its only connection as long as possible. */
function keepAlive(): Agent {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  agents.push(agent);
  return agent;
}

function ask(url: string, agent: Agent | false, body?: object): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const method = body ? 'POST' : 'GET';
    const request = httpRequest(url, { agent, method, headers: { 'content-type': 'application/json' } });
    request.once('error', reject);
    request.once('response', (response) => {
      const { statusCode = 0, headers } = response;
      response
        .resume()
        .once('error', reject)
        .once('end', () => {
          resolve({ status: statusCode, connection: headers.connection });
        });
    });
    request.end(body && JSON.stringify(body));
  });
}

const ready = async (instance: Instance): Promise<number> =>
  (await ask(`${instance.url}/health/ready`, false).catch(() => ({ status: 0 }))).status;

const refusesConnections = (instance: Instance) => async () => {
  const { code } = await ask(`${instance.url}/health/live`, false).then(
    () => ({ code: '' }),
    (error: NodeJS.ErrnoException) => error,
  );
  return code === 'ECONNREFUSED';
};

/** Locks the users table, so that a sign-in waits in the middle of its work. */
const holdUsers = async (): Promise<HeldLock> => (users = await HeldLock.takeUsers(database.url));
const signIn = (instance: Instance, agent: Agent | false): Promise<Answer> =>
  ask(`${instance.url}/api/auth/login`, agent, { email: ADMIN.email, password: ADMIN.password });

describe('SIGTERM', () => {
  it('makes the service not ready, serves on with Connection: close, then stops listening and exits 0', async () => {
    // Long enough for a few requests on the slowest machine.
    const instance = await start({ SHUTDOWN_GRACE_MS: '6000' });
    const kept = keepAlive();
    expect((await ask(`${instance.url}/health/live`, kept)).connection).toBe('keep-alive');
    instance.process.kill('SIGTERM');
    await instance.until(() => instance.stdout.includes('"msg":"stopping"'));
    expect(await ready(instance)).toBe(503);
    expect(await signIn(instance, false)).toEqual({ status: 200, connection: 'close' });
    expect(await ask(`${instance.url}/api/nothing`, false)).toEqual({ status: 404, connection: 'close' });

    await until(refusesConnections(instance));
    expect(instance.process.exitCode).toBeNull();
    // A silent connection may still send one request, because cutting it off would race with that request.
    expect(await signIn(instance, kept)).toEqual({ status: 200, connection: 'close' });
    expect(await instance.exitCode).toBe(0);
    expect(instance.stdout).toContain('"msg":"stopped"');
    expect(instance.stderr).toBe('');
  });

  it('lets a request in progress finish long after the grace period', async () => {
    const instance = await start({ SHUTDOWN_GRACE_MS: '0' });
    const lock = await holdUsers();
    const answer = signIn(instance, keepAlive());
    await until(async () => (await lock.waiting()) > 0);
    instance.process.kill('SIGTERM');
    await until(refusesConnections(instance));
    expect(instance.process.exitCode).toBeNull();
    await lock.release();
    // The request began as keep-alive, and a stop must not wait for the client to disconnect.
    expect(await answer).toEqual({ status: 200, connection: 'close' });
    expect(await instance.exitCode).toBe(0);
  });

  it('fails no request of keep-alive clients without retries behind a balancer that probes readiness', async () => {
    const [old, next] = await Promise.all([start({ SHUTDOWN_GRACE_MS: '3000' }), start({})]);
    let target = old;
    const balancer = setInterval(() => {
      void ready(old).then((status) => {
        target = status === 200 ? target : next;
        return target;
      });
    }, 20);
    const failures: unknown[] = [];
    const answered = new Map([
      [old, 0],
      [next, 0],
    ]);
    const over = new AbortController();
    const client = async (path: string) => {
      const perTarget = new Map([old, next].map((instance) => [instance, keepAlive()]));
      while (!over.signal.aborted) {
        const asked = target;
        const outcome = await ask(`${asked.url}${path}`, perTarget.get(asked) ?? false).catch(
          (error: unknown) => ({
            status: String(error),
          }),
        );
        if (outcome.status === 200) answered.set(asked, (answered.get(asked) ?? 0) + 1);
        else failures.push(outcome);
      }
    };
    const clients = ['/health/live', '/.well-known/jwks.json', '/health/live', '/metrics'].map(client);
    try {
      await until(() => (answered.get(old) ?? 0) > 100);
      old.process.kill('SIGTERM');
      expect(await old.exitCode).toBe(0);
      const before = answered.get(next) ?? 0;
      await until(() => (answered.get(next) ?? 0) > before + 100);
    } finally {
      over.abort();
      clearInterval(balancer);
      await Promise.all(clients);
    }
    expect(failures).toEqual([]);
  });
});

describe('a connection that is open when the service stops', () => {
  it('is closed after silence through the grace period and SHUTDOWN_IDLE_MS', async () => {
    const instance = await start({ SHUTDOWN_GRACE_MS: '500', SHUTDOWN_IDLE_MS: '1000' });
    await ask(`${instance.url}/health/live`, keepAlive());
    // A head that never ends counts as silence.
    const unfinished = await RawConnection.open(instance.url);
    unfinished.write('GET /health/live HTTP/1.1\r\nHost: x\r\n');
    const at = Date.now();
    expect(await instance.stop('SIGTERM')).toBe(0);
    expect(Date.now() - at).toBeGreaterThanOrEqual(1500);
    // Node would close them only after 65 s.
    expect(Date.now() - at).toBeLessThan(10_000);
  });

  it('receives a refusal within the grace period when it is a trickling upload', async () => {
    const graceMs = 5000;
    const instance = await start({ SHUTDOWN_GRACE_MS: String(graceMs) });
    const { token } = await signInAs(instance.url, ADMIN.email, ADMIN.password);
    const uploads = await Promise.all([
      trickle(instance, '/api/auth/login', 'application/json'),
      trickle(instance, '/api/users/import', 'application/x-ndjson', token),
    ]);
    const at = Date.now();
    instance.process.kill('SIGTERM');
    const answers = await Promise.all(uploads.map((upload) => upload.answer(15_000)));
    expect(Date.now() - at).toBeLessThan(graceMs);
    for (const answer of answers) {
      expectEnvelope(answer, 'OVERLOADED');
      expect(answer.headers).toMatchObject({ connection: 'close', 'retry-after': expect.any(String) });
    }
    expect(await instance.exitCode).toBe(0);
  });

  it('receives the last message of an export, however slowly it reads', async () => {
    const instance = await start({ SHUTDOWN_GRACE_MS: '500' });
    await addRows(database, 40_000);
    const user = await signInAs(instance.url, ADMIN.email, ADMIN.password);
    const exports = ['', '?format=ndjson'].map((query) => ({
      url: instance.url,
      user,
      path: `/api/export/users${query}`,
    }));
    const [events, lines] = await Promise.all(exports.map((each) => OpenExport.begin(each)));
    instance.process.kill('SIGTERM');
    await until(refusesConnections(instance));
    // Longer than the one second that the last message once had.
    await new Promise((resolve) => setTimeout(resolve, 2000));
    const [first, second] = await Promise.all([events?.read(), lines?.read()]);
    expect([first?.complete, second?.complete]).toEqual([true, true]);
    const overloaded = { error: { code: 'OVERLOADED' } };
    const last = eventsOf(first?.text ?? '').at(-1);
    expect([last?.event, JSON.parse(last?.data ?? '{}')]).toMatchObject(['error', overloaded]);
    expect(JSON.parse(second?.text.trimEnd().split('\n').at(-1) ?? '{}')).toMatchObject(overloaded);
    expect(await instance.exitCode).toBe(0);
  });
});

/** Sends a body that is announced and then arrives byte by byte. */
async function trickle(
  instance: Instance,
  path: string,
  type: string,
  token?: string,
): Promise<RawConnection> {
  const connection = await RawConnection.open(instance.url);
  const authorization = token === undefined ? '' : `Authorization: Bearer ${token}\r\n`;
  connection.write(
    `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: ${type}\r\n${authorization}Content-Length: 50000\r\n\r\n{`,
  );
  trickles.push(setInterval(() => connection.write(' '), 100));
  return connection;
}

describe('a hurried stop', () => {
  it('skips the grace period on SIGINT and closes silent connections', async () => {
    const instance = await start({ SHUTDOWN_GRACE_MS: String(Number(FOREVER_MS) - 1) });
    await ask(`${instance.url}/health/live`, keepAlive());
    expect(await instance.stop('SIGINT')).toBe(0);
  });

  it('is forced at the deadline, with exit code 1, when a request hangs', async () => {
    const instance = await start({ SHUTDOWN_GRACE_MS: '0', SHUTDOWN_DEADLINE_MS: '1000' });
    const lock = await holdUsers();
    const cut = signIn(instance, false).catch(() => 'cut off');
    await until(async () => (await lock.waiting()) > 0);
    instance.process.kill('SIGTERM');
    expect(await instance.exitCode).toBe(1);
    expect(instance.stdout).toContain('SHUTDOWN_DEADLINE_MS');
    expect(await cut).toBe('cut off');
  });
});
