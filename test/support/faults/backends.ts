import { readFileSync } from 'node:fs';

/** The reason why the server's processes cannot be signalled from here; null when they can. */
export const noSignals: string | null =
  process.platform === 'win32'
    ? 'Windows has no SIGSTOP'
    : process.env['TEST_DATABASE_URL']
      ? 'the server of TEST_DATABASE_URL may be another machine'
      : null;

const MAX_TRIES = 10_000;

/**
 * Freezes the process of a connection: its socket stays open, and it neither answers nor fails. Freezes it
 * while idle, because during a statement it may hold a lock that every other connection of the server waits
 * for.
 */
export function freeze(pid: number): () => void {
  const thaw = () => process.kill(pid, 'SIGCONT');
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    process.kill(pid, 'SIGSTOP');
    if (isIdle(pid)) return thaw;
    thaw();
  }
  throw new Error(`the server process ${pid} is never idle`);
}

/**
 * Freezes all these processes at once, whatever they are doing. Use it only if no other process waits for
 * them.
 */
export function freezeAll(pids: readonly number[]): () => void {
  for (const pid of pids) process.kill(pid, 'SIGSTOP');
  return () => pids.forEach((pid) => process.kill(pid, 'SIGCONT'));
}

/** Reads the title that PostgreSQL gives its processes; elsewhere than on Linux nothing tells. */
function isIdle(pid: number): boolean {
  if (process.platform !== 'linux') return true;
  while (!/\) [Tt] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8')));
  return /\bidle\0*\s*$/.test(readFileSync(`/proc/${pid}/cmdline`, 'utf8'));
}
