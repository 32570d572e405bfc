import { setTimeout as sleep } from 'node:timers/promises';

import type { Client } from 'pg';

import type { Cluster } from './cluster.js';
import { close, connect, holdProcess, isNotReady } from './connection.js';
import { codeOf } from './embedded-postgres.error.js';
import { findPostmaster } from './postmaster.js';

/** The key of the advisory lock that members share: an arbitrary number, the same in every release. */
export const MEMBERSHIP = 7_246_001;

/** Long enough for a small database to recover from a crash. */
const ANSWER_TIMEOUT_MS = 15_000;
const POLL_MS = 50;
/** The time the server needs to notice that a killed member's connection is closed. */
const LAST_ONE_TIMEOUT_MS = 250;
const LOCK_NOT_AVAILABLE = '55P03';

/**
 * Ends a membership together with its connection. Returns true when the server has no member left and must be
 * stopped. The caller must hold the process lock.
 *
 * A lost connection proves nothing about the server, which may be gone or restarting. A server that accepts
 * no connection for ANSWER_TIMEOUT_MS has no member, because members are connections. Members that wait for
 * it start it again.
 */
export async function withdraw(cluster: Cluster, member: Client | null): Promise<boolean> {
  const answer = member === null ? null : await askOverConnection(member).catch(() => null);
  if (answer !== null) return answer;
  for (const deadline = Date.now() + ANSWER_TIMEOUT_MS; Date.now() < deadline; await sleep(POLL_MS)) {
    const last = await askToLeave(cluster);
    if (last !== null) return last;
  }
  return true;
}

/** Returns true if no member is left, or null when the server cannot answer yet. */
async function askToLeave(cluster: Cluster): Promise<boolean | null> {
  const running = await findPostmaster(cluster.dir);
  if (running === null) return false;
  if (running.port === null) return null;
  try {
    return await askOverConnection(await connect(running.port, cluster.password));
  } catch (error) {
    if (isNotReady(error)) return null;
    throw error;
  }
}

async function askOverConnection(client: Client): Promise<boolean> {
  holdProcess(client, true);
  try {
    return await isLastMember(client);
  } finally {
    await close(client);
  }
}

/**
 * Returns whether no other member is left. Releases the connection's own share of the lock, if it has one.
 */
async function isLastMember(client: Client): Promise<boolean> {
  await client.query('select pg_advisory_unlock_all()');
  await client.query(`set lock_timeout = ${LAST_ONE_TIMEOUT_MS}`);
  try {
    await client.query('select pg_advisory_lock($1)', [MEMBERSHIP]);
    return true;
  } catch (error) {
    if (codeOf(error) === LOCK_NOT_AVAILABLE) return false;
    throw error;
  }
}
