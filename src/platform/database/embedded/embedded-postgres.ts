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

/** Longer than the slowest first start of another process: initdb, then the server. */
const JOIN_LOCK_TIMEOUT_MS = 300_000;
const LEAVE_LOCK_TIMEOUT_MS = 30_000;
const SAY_WAITING_MS = 3_000;

const ENLIST_TIMEOUT_MS = 10_000;
const RETURN_FIRST_MS = 50;
/** A server that cannot be brought back, say on a full disk, is tried again this often. */
const RETURN_AT_LEAST_EVERY_MS = 5_000;

export interface EmbeddedPostgres {
  readonly urls: EmbeddedUrls;
  /**
   * Leaves; the last one out stops the server. Never fails, ends within about 90 s at worst; a second call
   * joins the first.
   */
  leave(): Promise<void>;
}

export interface EmbeddedPostgresOptions {
  /** Created (0700) when missing. Holds the cluster, its password, its log and the start lock. */
  readonly dataDir: string;
  /** Instead of those of the devDependency embedded-postgres. */
  readonly binaries?: PostgresBinaries;
  readonly notice: EmbeddedNotice;
}

/**
 * Takes one line, for the terminal or the log, on whatever the person who started the service may want to know;
 * with `warn`, what that person has to know.
 */
export type EmbeddedNotice = (message: string, level?: 'warn') => void;

/**
 * Makes a real PostgreSQL run on `dataDir`, on a free port of 127.0.0.1, and counts this process among its
 * users.
 *
 * Several processes may share a `dataDir`: the first starts the server, the others join it, the last one
 * stops it. Being a member is a connection that holds a shared advisory lock, so a process killed with -9
 * leaves by dying; a server that lost all members that way runs on, and the next start takes it over. Joining
 * and leaving happen under one lock between processes, which ends with its holder.
 *
 * A server that dies is started again by its members, on its port, under the same lock: the first of them
 * starts it, the others join. One `dataDir` belongs to one machine (or container) at a time.
 *
 * Throws EmbeddedPostgresError, a message of one line. Bounds: 5 min for other starts of the same `dataDir`,
 * 2 min for creating a cluster, 2 min until the server answers.
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
  }, SAY_WAITING_MS);
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

/** A member that fails to become one, say on a full disk, does not leave a server behind that nobody uses. */
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
  /** Ends a start of the server that is under way, which could take longer than leaving may. */
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
      this.notice(`leaving PostgreSQL failed, it may run on: ${String(error)}`, 'warn');
    });
    return this.#left;
  }

  #adopt(client: Client): void {
    this.#client = client;
    // A script that never calls leave() may end all the same.
    holdProcess(client, false);
    client.on('end', () => {
      this.#client = null;
      if (this.#left === null) void this.#returnToServer();
    });
  }

  /**
   * A server whose child crashed starts anew by itself, on its port; one that is gone is started on it by the
   * first member that comes. Whoever uses it becomes a member again, or another could stop it as the last one
   * out.
   */
  async #returnToServer(): Promise<void> {
    let said = '';
    for (let waitMs = RETURN_FIRST_MS; this.#left === null; waitMs *= 2) {
      try {
        return await this.#restore();
      } catch (error) {
        if (this.#leaving.signal.aborted) return;
        const { message } = toEmbeddedPostgresError(error, this.cluster.dataDir);
        if (message !== said)
          this.notice(`PostgreSQL has ended and cannot be started yet: ${message}`, 'warn');
        said = message;
        await sleep(Math.min(waitMs, RETURN_AT_LEAST_EVERY_MS), undefined, { ref: false });
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
        throw new EmbeddedPostgresError(`it runs on another port, ${server.port}: start this service again`);
      }
      await enlistOrWithdraw(server, this.cluster);
      this.#adopt(server.client);
      if (!server.joined)
        this.notice(`PostgreSQL had ended; started it again on port ${server.port}`, 'warn');
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
      else this.notice('PostgreSQL did not stop; it is left running', 'warn');
    } finally {
      lock.release();
    }
  }
}
