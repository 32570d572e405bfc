import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { HeldLock } from '../../support/database/held-lock.js';
import { Instance } from '../../support/app/instance.js';
import { MASTER_KEY } from '../../support/app/secrets.js';
import { ADMIN } from '../../support/app/test-app.js';
import { TestDatabase } from '../../support/database/test-database.js';
import { UNLIMITED } from '../../support/app/unlimited.js';
import { until } from '../../support/app/until.js';

// Two tests create and stop their own database.
jest.setTimeout(120_000);

const FOREVER_MS = '600000';
const ALMOST_FOREVER_MS = '599999';
const INSPECTOR_PORT = 9229;

let database: TestDatabase;
let dataDir: string;
const running: Instance[] = [];
const groups: ChildProcess[] = [];
let users: HeldLock | null = null;

beforeAll(async () => {
  database = await TestDatabase.create();
  dataDir = await mkdtemp(join(tmpdir(), 'gatehouse-signals-'));
});
afterEach(async () => {
  await users?.release();
  await Promise.all(running.splice(0).map((instance) => instance.stop('SIGKILL')));
  for (const group of groups.splice(0)) signalGroup(group, 'SIGKILL');
});
afterAll(async () => {
  const pid = serverPid();
  if (pid !== null) process.kill(pid, 'SIGQUIT');
  await until(() => serverPid() === null);
  await rm(dataDir, { recursive: true, force: true });
  await database.drop();
});

const env = (more: Record<string, string>) => ({
  ...database.addresses,
  MASTER_KEY,
  ADMIN_PASSWORD: ADMIN.password,
  LOG_LEVEL: 'info',
  SHUTDOWN_DEADLINE_MS: FOREVER_MS,
  ...more,
});

async function start(more: Record<string, string>): Promise<Instance> {
  const instance = await Instance.start({ env: env(more) });
  running.push(instance);
  return instance;
}

const statusOf = (url: string): Promise<number> =>
  fetch(url).then(
    ({ status }) => status,
    () => 0,
  );

/** Returns the process ID of the embedded server in `dataDir`; null when none runs. */
function serverPid(): number | null {
  const path = join(dataDir, 'postgres/postmaster.pid');
  const pid = existsSync(path) ? Number(readFileSync(path, 'utf8').split('\n', 1)[0]) : 0;
  try {
    return pid > 0 && process.kill(pid, 0) ? pid : null;
  } catch {
    return null;
  }
}

function signalGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  try {
    if (pid !== undefined) process.kill(-pid, signal);
  } catch {
    // The group has already ended.
  }
}

describe('a running service', () => {
  it('serves through the whole grace period when SIGTERM arrives repeatedly', async () => {
    const graceMs = 2500;
    const instance = await start({ SHUTDOWN_GRACE_MS: String(graceMs) });
    const at = performance.now();
    instance.process.kill('SIGTERM');
    await until(async () => (await statusOf(`${instance.url}/health/ready`)) === 503);
    instance.process.kill('SIGTERM');
    instance.process.kill('SIGTERM');
    expect(await statusOf(`${instance.url}/health/live`)).toBe(200);
    expect(await instance.exitCode).toBe(0);
    expect(performance.now() - at).toBeGreaterThan(graceMs);
    expect(instance.stdout.match(/"msg":"stopping"/g)).toHaveLength(1);
  });

  it('skips the grace period after a SIGINT and cuts open requests after a second one', async () => {
    const instance = await start({ SHUTDOWN_GRACE_MS: ALMOST_FOREVER_MS });
    const lock = await HeldLock.takeUsers(database.url);
    users = lock;
    const signIn = fetch(`${instance.url}/api/auth/login`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ email: ADMIN.email, password: ADMIN.password }),
    }).catch(() => 'cut off');
    await until(async () => (await lock.waiting()) > 0);
    instance.process.kill('SIGTERM');
    await until(async () => (await statusOf(`${instance.url}/health/ready`)) === 503);
    // Under npm one Ctrl-C arrives twice but counts once.
    instance.process.kill('SIGINT');
    instance.process.kill('SIGINT');
    await until(async () => (await statusOf(`${instance.url}/health/live`)) === 0);
    expect(instance.process.exitCode).toBeNull();
    await new Promise((resolve) => setTimeout(resolve, 300));
    instance.process.kill('SIGINT');
    expect(await instance.exitCode).toBe(1);
    expect(await signIn).toBe('cut off');
  });

  it('survives SIGHUP and SIGUSR2, and opens no inspector on SIGUSR1 in production', async () => {
    const production = { METRICS_TOKEN: 'sixteen characters or so', PUBLIC_URL: 'https://a.example' };
    const instance = await Instance.startInProduction({
      env: env({ ...production, ADMIN_EMAIL: ADMIN.email, SHUTDOWN_GRACE_MS: '0' }),
    });
    running.push(instance);
    for (const signal of ['SIGHUP', 'SIGUSR2', 'SIGUSR1', 'SIGHUP'] as const) {
      instance.process.kill(signal);
      for (let asked = 0; asked < 10; asked++)
        expect([signal, await statusOf(`${instance.url}/health/ready`)]).toEqual([signal, 200]);
    }
    expect(await isOpen(INSPECTOR_PORT)).toBe(false);
    expect(await instance.stop('SIGTERM')).toBe(0);
    expect(instance.stderr).toBe('');
  });
});

describe('the embedded database', () => {
  it('does not keep running after a start that is stopped by repeated signals', async () => {
    const secrets = { MASTER_KEY, METRICS_TOKEN: 'sixteen characters or so', ADMIN_PASSWORD: ADMIN.password };
    const instance = await Instance.spawn({
      env: { ...secrets, DATA_DIR: dataDir, LOG_LEVEL: 'info', NODE_ENV: 'production' },
    });
    running.push(instance);
    await instance.until(() => serverPid() !== null);
    for (const signal of ['SIGTERM', 'SIGTERM', 'SIGHUP', 'SIGINT', 'SIGTERM'] as const) {
      instance.process.kill(signal);
    }
    expect(await instance.exitCode).toBe(0);
    expect(serverPid()).toBeNull();
    expect(instance.stdout).not.toContain('is ready');
    // In production its notices are log lines.
    expect(instance.stderr).toBe('');
    const lines = instance.stdout.split('\n').filter((line) => line !== '');
    expect(lines.map((line) => (JSON.parse(line) as { msg: string }).msg)).toContain('stopped PostgreSQL');
  });

  it('stops after the grace period when `npm start` and its process group get SIGTERM', async () => {
    const npm = spawn('npm', ['start'], {
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...UNLIMITED,
        PATH: process.env['PATH'],
        HOME: dataDir,
        PORT: '0',
        DATA_DIR: dataDir,
        SHUTDOWN_GRACE_MS: '1000',
      },
    });
    groups.push(npm);
    let said = '';
    for (const stream of [npm.stdout, npm.stderr])
      stream.on('data', (chunk: Buffer) => (said += String(chunk)));
    const ended = once(npm, 'exit');
    await until(() => said.includes('is ready'), 40_000, 'npm start serves');
    expect(serverPid()).not.toBeNull();
    const at = performance.now();
    signalGroup(npm, 'SIGTERM');
    await until(() => said.includes('"msg":"stopped"'));
    await ended;
    expect(performance.now() - at).toBeGreaterThan(1000);
    expect(said).toContain('stopped PostgreSQL');
    expect(serverPid()).toBeNull();
  });
});

function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
