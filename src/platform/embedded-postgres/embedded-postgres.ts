import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import type { Client } from 'pg';

import { locateBinaries, majorVersion, type PostgresBinaries } from './binaries.js';
import { type Cluster, prepareCluster, prepareDataDir } from './cluster.js';
import { close, holdProcess } from './connection.js';
import { EmbeddedPostgresError, toEmbeddedPostgresError } from './embedded-postgres.error.js';
import { acquireProcessLock, type ProcessLock } from './process-lock.js';
import { type EmbeddedUrls, prepareDatabase, urlsOf } from './roles.js';
import { openServer, type Server, stopServer } from './server.js';
import { MEMBERSHIP, withdraw } from './withdraw.js';

/** Longer than the slowest first start of another process, which runs initdb and then the server. */
const JOIN_LOCK_TIMEOUT_MS = 300_000;
const LEAVE_LOCK_TIMEOUT_MS = 30_000;
const REPORT_WAITING_AFTER_MS = 3_000;

const ENLIST_TIMEOUT_MS = 10_000;
const RECONNECT_FIRST_MS = 50;
/** The longest pause between attempts to restart a server that cannot start, for example on a full disk. */
const RECONNECT_MAX_INTERVAL_MS = 5_000;

export interface EmbeddedPostgres {
  readonly urls: EmbeddedUrls;
  /**
   * Leaves; the last member to leave stops the server. Never fails, and takes at most about 90 s. A second
   * call joins the first.
   */
  leave(): Promise<void>;
}

export interface EmbeddedPostgresOptions {
  /** Created (0700) when missing. Holds the cluster, its password, its log and the start lock. */
  readonly dataDir: string;
  /** The programs to use instead of those in the devDependency embedded-postgres. */
  readonly binaries?: PostgresBinaries;
  readonly notice: EmbeddedNotice;
}

/**
 * Receives one line, for the terminal or the log, about each event that the person who started the service
 * may want to know. With `warn`, that person has to know it.
 */
export type EmbeddedNotice = (message: string, level?: 'warn') => void;

/**
 * Runs a real PostgreSQL on `dataDir`, on a free port of 127.0.0.1, and registers this process as one of its
 * members.
 *
 * Several processes may share a `dataDir`: the first one starts the server, the others join it, and the last
 * one stops it. A member is a connection that holds a shared advisory lock, so a process killed with -9
 * leaves when it dies. A server that lost all members that way keeps running, and the next start takes it
 * over. Processes join and leave under one process lock, which ends with its holder.
 *
 * If the server dies, its members restart it on the same port under the same lock: the first one starts it
 * and the others join. Only one machine (or container) may use a `dataDir` at a time.
 *
 * Throws an EmbeddedPostgresError with a one-line message. Waits up to 5 min for other starts on the same
 * `dataDir`. Creating a cluster, and waiting for the server to answer, may each take up to 2 min.
 */
export async function joinEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  try {
    const binaries = options.binaries ?? (await locateBinaries());
    const major = await majorVersion(binaries);
    const dataDir = await prepareDataDir(options.dataDir);
    const lock = await acquireStartLock(dataDir, options.notice);
    try {
      const cluster = await prepareCluster(dataDir, binaries, major, options.notice);
      const server = await openServer(cluster);
      await enlistOrWithdraw(server, cluster);
      const how = server.joined ? 'joined the running' : 'started';
      options.notice(`${how} PostgreSQL ${major} on 127.0.0.1:${server.port}, data in ${cluster.dir}`);
      return new Membership(cluster, server, options.notice);
    } finally {
      lock.release();
    }
  } catch (error) {
    throw toEmbeddedPostgresError(error, options.dataDir);
  }
}

async function acquireStartLock(dataDir: string, notice: EmbeddedNotice): Promise<ProcessLock> {
  const patience = setTimeout(() => {
    notice(`waiting for another process that is starting or stopping the database in ${dataDir}`);
  }, REPORT_WAITING_AFTER_MS);
  try {
    return await acquireProcessLock(lockPath(dataDir), JOIN_LOCK_TIMEOUT_MS);
  } finally {
    clearTimeout(patience);
  }
}

function lockPath(dataDir: string): string {
  return join(dataDir, 'postgres.lock');
}

async function enlist({ client, port }: Server, cluster: Cluster): Promise<void> {
  await client.query(`set lock_timeout = ${ENLIST_TIMEOUT_MS}`);
  await client.query('select pg_advisory_lock_shared($1)', [MEMBERSHIP]);
  await prepareDatabase(client, cluster, port);
}

/**
 * Enlists this process. If that fails, for example on a full disk, stops a server that no other member uses.
 */
async function enlistOrWithdraw(server: Server, cluster: Cluster): Promise<void> {
  try {
    await enlist(server, cluster);
  } catch (error) {
    if (await withdraw(cluster, server.client).catch(() => false)) await stopServer(cluster);
    throw error;
  }
}

class Membership implements EmbeddedPostgres {
  readonly urls: EmbeddedUrls;
  readonly #port: number;
  #client: Client | null = null;
  #left: Promise<void> | null = null;
  /** Aborts a server start in progress, which could take longer than leaving may. */
  readonly #leaving = new AbortController();

  constructor(
    private readonly cluster: Cluster,
    server: Server,
    private readonly notice: EmbeddedNotice,
  ) {
    this.urls = urlsOf(cluster, server.port);
    this.#port = server.port;
    this.#adopt(server.client);
  }

  leave(): Promise<void> {
    this.#leaving.abort();
    this.#left ??= this.#leave().catch((error: unknown) => {
      this.notice(`leaving PostgreSQL failed, so it may keep running: ${String(error)}`, 'warn');
    });
    return this.#left;
  }

  #adopt(client: Client): void {
    this.#client = client;
    // A script that never calls leave() may still exit.
    holdProcess(client, false);
    client.on('end', () => {
      this.#client = null;
      if (this.#left === null) void this.#returnToServer();
    });
  }

  /**
   * Joins the server again after its connection ended. A server whose child crashed restarts itself on its
   * port. A dead server is started on that port by the first member to return. A process that uses the server
   * must be a member again, or another member could stop the server when it leaves.
   */
  async #returnToServer(): Promise<void> {
    let reported = '';
    for (let waitMs = RECONNECT_FIRST_MS; this.#left === null; waitMs *= 2) {
      try {
        return await this.#restore();
      } catch (error) {
        if (this.#leaving.signal.aborted) return;
        const { message } = toEmbeddedPostgresError(error, this.cluster.dataDir);
        if (message !== reported)
          this.notice(`PostgreSQL has ended and cannot be restarted yet: ${message}`, 'warn');
        reported = message;
        await sleep(Math.min(waitMs, RECONNECT_MAX_INTERVAL_MS), undefined, { ref: false });
      }
    }
  }

  async #restore(): Promise<void> {
    const lock = await acquireProcessLock(lockPath(this.cluster.dataDir), JOIN_LOCK_TIMEOUT_MS);
    try {
      if (this.#left !== null) return;
      const server = await openServer(this.cluster, { port: this.#port, signal: this.#leaving.signal });
      if (server.port !== this.#port) {
        await close(server.client);
        throw new EmbeddedPostgresError(`it runs on another port, ${server.port}: restart this service`);
      }
      await enlistOrWithdraw(server, this.cluster);
      this.#adopt(server.client);
      if (!server.joined) this.notice(`PostgreSQL had ended; restarted it on port ${server.port}`, 'warn');
    } finally {
      lock.release();
    }
  }

  async #leave(): Promise<void> {
    const lock = await acquireProcessLock(lockPath(this.cluster.dataDir), LEAVE_LOCK_TIMEOUT_MS);
    try {
      if (!(await withdraw(this.cluster, this.#client))) return;
      const gone = await stopServer(this.cluster);
      if (gone) this.notice('stopped PostgreSQL');
      else this.notice('PostgreSQL did not stop and keeps running', 'warn');
    } finally {
      lock.release();
    }
  }
}
