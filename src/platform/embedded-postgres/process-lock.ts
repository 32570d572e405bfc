import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';

const SQLITE_BUSY = 5;
const POLL_MS = 25;

export interface ProcessLock {
  release(): void;
}

/**
 * Acquires a lock between processes of one machine. Waits at most `timeoutMs`, then throws.
 *
 * The lock is SQLite's exclusive lock on an empty file, and so a lock of the operating system. It ends when
 * its holder dies, in whatever way, and a stalled event loop cannot lose it. Locks made of a folder and a
 * heartbeat (proper-lockfile) fail in both respects, and two waiters that find one stale can both take it.
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
    // The journal stays in memory so that taking the lock writes nothing and works on a full disk.
    database.exec('pragma journal_mode = memory; begin exclusive');
    return true;
  } catch (error) {
    if (error instanceof Error && 'errcode' in error && error.errcode === SQLITE_BUSY) return false;
    throw error;
  }
}
