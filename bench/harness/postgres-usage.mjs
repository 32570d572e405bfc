// Reads what the PostgreSQL server of a run has used so far. Needs /proc, so it works on Linux only.

import { readdirSync, readFileSync } from 'node:fs';
import { pause } from './lanes.mjs';

/** The kernel counts CPU time in hundredths of a second for programs, whatever its own clock. */
const MS_PER_TICK = 10;
/** A connection reports its statistics at most once a second. */
const STATISTICS_DELAY_MS = 1_200;
const PAGE_BYTES = 8_192;

/**
 * The resources that the server has used.
 * @typedef {object} PostgresUsage
 * @property {number} cpuMs of all its processes
 * @property {number} walBytes
 * @property {number} fullPages pages that were written to the WAL as a whole, at their first change after a checkpoint
 * @property {number} walFlushes
 * @property {number} pagesWritten to the files of tables and indexes
 * @property {number} transactions committed
 */

/**
 * Waits until all is reported, writes what is dirty and reads the counters of the whole server.
 * @param {import('pg').Client} client a connection of a superuser
 * @returns {Promise<PostgresUsage>}
 */
export async function postgresUsage(client) {
  await pause(STATISTICS_DELAY_MS);
  await client.query('CHECKPOINT');
  const { rows } = await client.query(
    `SELECT pg_backend_pid() AS pid, (SELECT wal_bytes FROM pg_stat_wal)::float8 AS "walBytes",
            (SELECT wal_fpi FROM pg_stat_wal)::float8 AS "fullPages",
            (SELECT sum(fsyncs) FROM pg_stat_io WHERE object = 'wal')::float8 AS "walFlushes",
            (SELECT sum(write_bytes) FROM pg_stat_io WHERE object = 'relation')::float8 / $1 AS "pagesWritten",
            (SELECT sum(xact_commit) FROM pg_stat_database)::float8 AS transactions`,
    [PAGE_BYTES],
  );
  const [{ pid, ...counters }] = rows;
  return { cpuMs: cpuMsOf(statOf(pid).parent), ...counters };
}

/** Returns the CPU time of a process, of its living children and of those it has waited for. */
function cpuMsOf(postmaster) {
  const { own, waited } = statOf(postmaster);
  const children = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => statOf(name))
    .filter(({ parent }) => parent === postmaster);
  return (own + waited + children.reduce((sum, child) => sum + child.own, 0)) * MS_PER_TICK;
}

/** Reads `/proc/<pid>/stat`, whose fields follow the name in brackets. A process that has ended has used nothing. */
function statOf(pid) {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = text
      .slice(text.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number);
    return { parent: fields[1], own: fields[11] + fields[12], waited: fields[13] + fields[14] };
  } catch {
    return { parent: 0, own: 0, waited: 0 };
  }
}
