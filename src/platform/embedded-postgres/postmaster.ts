import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';

import { codeOf, nullIfMissing } from './embedded-postgres.error.js';
import { runProgram } from './run-program.js';

/** The content of the running server's postmaster.pid. The port is null early in the start. */
export interface Postmaster {
  readonly pid: number;
  readonly port: number | null;
}

const PORT_LINE = 3;

/**
 * Returns the server that runs on `clusterDir`, or null. Removes a postmaster.pid whose process is gone or
 * whose number now belongs to another program. PostgreSQL removes the file only in the first case and refuses
 * to start in the second.
 */
export async function findPostmaster(clusterDir: string): Promise<Postmaster | null> {
  const path = join(clusterDir, 'postmaster.pid');
  const content = await nullIfMissing(readFile(path, 'utf8'));
  if (content === null) return null;
  const lines = content.split('\n');
  const pid = Number(lines[0]);
  if (!(await isPostmaster(pid, clusterDir))) {
    await rm(path, { force: true });
    return null;
  }
  const port = Number(lines[PORT_LINE]);
  return { pid, port: Number.isInteger(port) && port > 0 ? port : null };
}

/** Returns the port of the last server on `clusterDir`, from the command line that PostgreSQL saved. */
export async function lastPort(clusterDir: string): Promise<number | null> {
  const options = (await nullIfMissing(readFile(join(clusterDir, 'postmaster.opts'), 'utf8'))) ?? '';
  const port = Number(/"port=(\d+)"/.exec(options)?.[1]);
  return port > 0 ? port : null;
}

/**
 * Tells whether process `pid` is alive and serves `clusterDir`. Our servers carry their folder in the command
 * line.
 */
export async function isPostmaster(pid: number, clusterDir: string): Promise<boolean> {
  if (!Number.isInteger(pid) || pid <= 1 || !isAlive(pid)) return false;
  if (process.platform === 'win32') return true;
  if (process.platform === 'linux') {
    const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    return command.split('\0').includes(clusterDir);
  }
  const { output } = await runProgram('/bin/ps', ['-o', 'args=', '-p', String(pid)], { timeoutMs: 5_000 });
  return output.includes(clusterDir);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) === 'EPERM';
  }
}
