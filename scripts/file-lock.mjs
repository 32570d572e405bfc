// Locks between processes: SQLite's locks on an empty file, for the reasons that process-lock.ts in src gives. That
// module is not imported, because letting Node strip its types would cost the service 30 MB for the rest of its life.

import { DatabaseSync } from 'node:sqlite';

/** Returns a lock that lasts until it is disposed of or the process ends. Throws after `timeoutMs`. */
export function lockExclusively(path, timeoutMs = 0) {
  return openLock(path, timeoutMs, 'pragma journal_mode = memory; begin exclusive');
}

/** Locks until the process ends. Any number of processes can hold the lock. */
export function holdShared(path) {
  const lock = openLock(path, 0, 'begin; select 1 from sqlite_schema');
  process.once('exit', () => lock.close()); // The listener also keeps the lock from the garbage collector.
}

function openLock(path, timeout, statement) {
  const database = new DatabaseSync(path, { timeout });
  try {
    database.exec(statement);
    return database;
  } catch (error) {
    database.close();
    throw new Error(`cannot lock ${path}: ${error.message}`, { cause: error });
  }
}
