import { setTimeout as sleep } from 'node:timers/promises';

import type { Client } from 'pg';

import type { Cluster } from './cluster.js';
import { close, connect, holdProcess, isNotYet } from './connection.js';
import { codeOf } from './embedded-postgres.error.js';
import { findPostmaster } from './postmaster.js';

/** Any number, the same in every release: the advisory lock that members share. */
export const MEMBERSHIP = 7_246_001;

/** Covers the recovery from a crash of a small database. */
const ANSWER_TIMEOUT_MS = 15_000;
const POLL_MS = 50;
/** The server needs this long to notice that the connection of a killed member is closed. */
const LAST_ONE_TIMEOUT_MS = 250;
const LOCK_NOT_AVAILABLE = '55P03';

/**
 * Ends a membership with its connection, and returns whether the server is left without a member and must be
 * stopped. The caller holds the process lock.
 *
 * A lost connection proves nothing about the server: it may be gone, or be starting again. A server that
 * accepts no connection for ANSWER_TIMEOUT_MS has no member, because members are connections; those that
 * wait for it start it again.
 */
export async function withdraw(cluster: Cluster, member: Client | null): Promise<boolean> {
  const answer = member === null ? null : await askOver(member).catch(() => null);
  if (answer !== null) return answer;
  for (const deadline = Date.now() + ANSWER_TIMEOUT_MS; Date.now() < deadline; await sleep(POLL_MS)) {
    const last = await ask(cluster);
    if (last !== null) return last;
  }
  return true;
}

/** Returns null when the server cannot answer yet. */
async function ask(cluster: Cluster): Promise<boolean | null> {
  const running = await findPostmaster(cluster.dir);
  if (running === null) return false;
  if (running.port === null) return null;
  try {
    return await askOver(await connect(running.port, cluster.password));
  } catch (error) {
    if (isNotYet(error)) return null;
    throw error;
  }
}

async function askOver(client: Client): Promise<boolean> {
  holdProcess(client, true);
  try {
    return await isLast(client);
  } finally {
    await close(client);
  }
}

/** Returns whether no other member is left. Gives up the connection's own share, if it has one. */
async function isLast(client: Client): Promise<boolean> {
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
