import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

import type { Client } from 'pg';

import type { Cluster } from './cluster.js';
import { connect, isNotReady } from './connection.js';
import { codeOf, EmbeddedPostgresError } from './embedded-postgres.error.js';
import { findPostmaster, isPostmaster, lastPort } from './postmaster.js';
import { CHILD_ENVIRONMENT, runProgram } from './run-program.js';
import { openServerLog, reasonIn, type ServerLog } from './server-log.js';

/** Also bounds the wait for a server that recovers from a crash or shuts down. */
const START_TIMEOUT_MS = 120_000;
const STOP_TIMEOUT_S = 30;
const SIGNAL_TIMEOUT_MS = 5_000;
const POLL_MS = 20;
const RETRY_MS = 200;
const MAX_PORT_CLASHES = 5;

const WRONG_PASSWORD = '28P01';
const PORT_CLASH = /Address already in use|could not create any TCP\/IP sockets/;
/**
 * Messages of a cluster that is still in use. A server killed with -9 leaves children that need a moment to
 * notice, or another process started first.
 */
const STILL_OCCUPIED = /pre-existing shared memory block|lock file "postmaster.pid" already exists/;

interface Limits {
  readonly deadline: number;
  readonly signal: AbortSignal | undefined;
}

/** A running server and the connection that proved it. */
export interface Server {
  readonly client: Client;
  readonly port: number;
  readonly joined: boolean;
}

/**
 * Joins the server that runs on `cluster`, or starts one. It uses `port` if given, else the last server's
 * port if that is free, so that waiting members find the server. The caller must hold the start lock.
 * START_TIMEOUT_MS and MAX_PORT_CLASHES bound the attempts, and a failure carries the server's own last
 * message. An abort of `signal` also fails the call and stops the server that was starting.
 */
export async function openServer(
  cluster: Cluster,
  { port, signal }: { port?: number; signal?: AbortSignal } = {},
): Promise<Server> {
  const limits = { deadline: Date.now() + START_TIMEOUT_MS, signal };
  for (let clashes = 0; ; await sleep(RETRY_MS)) {
    const wanted = port ?? (await portFor(cluster, clashes));
    const server = (await joinRunning(cluster, limits)) ?? (await start(cluster, wanted, limits));
    if (typeof server !== 'string') return server;
    if (PORT_CLASH.test(server)) clashes += 1;
    const retry = STILL_OCCUPIED.test(server) || (PORT_CLASH.test(server) && clashes < MAX_PORT_CLASHES);
    if (!retry || Date.now() > limits.deadline) {
      throw new EmbeddedPostgresError(`PostgreSQL could not start on ${cluster.dir}: ${reasonIn(server)}`);
    }
  }
}

async function joinRunning(cluster: Cluster, { deadline, signal }: Limits): Promise<Server | null> {
  for (;;) {
    signal?.throwIfAborted();
    const running = await findPostmaster(cluster.dir);
    if (running === null) return null;
    const client = running.port === null ? null : await tryConnect(running.port, cluster);
    if (client !== null && running.port !== null) {
      return { client, port: running.port, joined: true };
    }
    if (Date.now() > deadline) {
      throw new EmbeddedPostgresError(
        `PostgreSQL (pid ${running.pid}) on ${cluster.dir} neither answers nor exits; see postgres.log beside it`,
      );
    }
    await sleep(POLL_MS);
  }
}

/** Starts a server and waits until it answers. Returns the server's log output if it exits instead. */
async function start(cluster: Cluster, port: number, limits: Limits): Promise<Server | string> {
  const log = openServerLog(cluster.dataDir);
  try {
    const { pid, ended } = launch(cluster, port, log);
    while (Date.now() < limits.deadline) {
      const client = await tryConnect(port, cluster).catch(async (error: unknown) => {
        await stopServer(cluster, pid);
        throw error;
      });
      if (client !== null) return { client, port, joined: false };
      const end = await Promise.race([ended, sleep(POLL_MS)]);
      if (end === undefined && limits.signal?.aborted === true) {
        // The server has no sessions yet, and an INT early in its start can be lost.
        await stopServer(cluster, pid, IMMEDIATE_STOP);
        limits.signal.throwIfAborted();
      }
      if (end !== undefined) return `${log.sinceOpened()}${end}`;
    }
    throw new EmbeddedPostgresError(
      `PostgreSQL on ${cluster.dir} is not ready after ${START_TIMEOUT_MS / 1000} s ` +
        `(${reasonIn(log.sinceOpened())}); it is still starting, so try again later, or see ${log.path}`,
    );
  } finally {
    log.close();
  }
}

interface Launched {
  readonly pid: number | undefined;
  readonly ended: Promise<string>;
}

/**
 * Launches the server in its own process group, so that neither Ctrl-C nor the end of this process reaches
 * it. `ended` settles when the server exits, with text only if it could not be started at all.
 */
function launch(cluster: Cluster, port: number, log: ServerLog): Launched {
  const network = ['listen_addresses=127.0.0.1', `port=${port}`, 'unix_socket_directories='];
  const args = ['-D', cluster.dir, ...network.flatMap((setting) => ['-c', setting])];
  const child = spawn(cluster.binaries.postgres, args, {
    ...cluster.user,
    cwd: cluster.dir,
    env: CHILD_ENVIRONMENT,
    detached: true,
    windowsHide: true,
    stdio: ['ignore', log.descriptor, log.descriptor],
  });
  child.unref();
  const ended = new Promise<string>((resolve) => {
    child.once('exit', () => resolve(''));
    child.once('error', (error) => resolve(`error: ${error.message}`));
  });
  return { pid: child.pid, ended };
}

/** Returns a connection, or null when the server is absent or not ready. */
async function tryConnect(port: number, cluster: Cluster): Promise<Client | null> {
  try {
    return await connect(port, cluster.password);
  } catch (error) {
    if (isNotReady(error)) return null;
    if (codeOf(error) !== WRONG_PASSWORD) throw error;
    throw new EmbeddedPostgresError(
      `the password in ${cluster.dataDir}/postgres.password does not match the database beside it`,
      { cause: error },
    );
  }
}

async function portFor(cluster: Cluster, clashes: number): Promise<number> {
  const last = clashes === 0 ? await lastPort(cluster.dir) : null;
  return (last === null ? null : await freePort(last).catch(() => null)) ?? freePort(0);
}

/** @returns `wanted`, or a free port for 0; fails when the port is taken */
async function freePort(wanted: number): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve, reject) => {
    probe.once('error', reject);
    probe.listen(wanted, '127.0.0.1', resolve);
  });
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no free port');
  return address.port;
}

type StopStep = readonly [signal: 'INT' | 'QUIT', seconds: number];
const IMMEDIATE_STOP: readonly StopStep[] = [['QUIT', 10]];
const GRACEFUL_STOP: readonly StopStep[] = [['INT', STOP_TIMEOUT_S], ...IMMEDIATE_STOP];

/**
 * Stops the server and waits until it is gone. An orderly stop, which ends sessions and writes a checkpoint,
 * gets 30 s; then an immediate stop, from which the next start recovers, gets 10 s. Returns whether the
 * server is gone. `launched` is the process of a server that may not have written postmaster.pid yet.
 *
 * The server's process decides, not postmaster.pid, because a killed server leaves that file behind and
 * `pg_ctl stop` would wait for it.
 */
export async function stopServer(
  cluster: Cluster,
  launched?: number,
  steps: readonly StopStep[] = GRACEFUL_STOP,
): Promise<boolean> {
  const pid = (await findPostmaster(cluster.dir))?.pid ?? launched;
  if (pid === undefined) return true;
  for (const [signal, seconds] of steps) {
    const deadline = Date.now() + seconds * 1000;
    await runProgram(cluster.binaries.pg_ctl, ['kill', signal, String(pid)], {
      as: cluster.user,
      cwd: cluster.dir,
      timeoutMs: SIGNAL_TIMEOUT_MS,
    });
    while (await isPostmaster(pid, cluster.dir)) {
      if (Date.now() > deadline) break;
      await sleep(POLL_MS);
    }
    // Also removes the postmaster.pid of a server that exited without doing so.
    if ((await findPostmaster(cluster.dir)) === null && !(await isPostmaster(pid, cluster.dir))) return true;
  }
  return false;
}
