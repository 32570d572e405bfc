import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';

const SQLITE_BUSY = 5;
const POLL_MS = 25;

export interface ProcessLock {
  release(): void;
}

/**
 * A lock between processes of one machine, waited for at most `timeoutMs` (then it throws).
 *
 * It is SQLite's exclusive lock on an empty file, that is, the operating system's: it ends with its holder,
 * however that dies, and it cannot be lost to a stalled event loop. Locks made of a folder and a heartbeat
 * (proper-lockfile) have both faults, and two waiters that find one stale can both take it.
 */
export async function acquireProcessLock(path: string, timeoutMs: number): Promise<ProcessLock> {
  const database = new DatabaseSync(path, { timeout: 0 });
  const deadline = Date.now() + timeoutMs;
  try {
    while (!tryLock(database)) {
      if (Date.now() > deadline) {
        throw new Error(`another process has held ${path} for more than ${timeoutMs / 1000} s`);
      }
      await sleep(POLL_MS);
    }
  } catch (error) {
    database.close();
    throw error;
  }
  return { release: () => database.close() };
}

function tryLock(database: DatabaseSync): boolean {
  try {
    // The journal in memory: taking the lock shall write nothing, so that it works on a full disk.
    database.exec('pragma journal_mode = memory; begin exclusive');
    return true;
  } catch (error) {
    if (error instanceof Error && 'errcode' in error && error.errcode === SQLITE_BUSY) return false;
    throw error;
  }
}
