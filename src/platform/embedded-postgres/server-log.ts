import { closeSync, fstatSync, ftruncateSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * The size above which a start truncates the log. The server's few messages (see SETTINGS in cluster.ts) take
 * years to reach it.
 */
const MAX_LOG_BYTES = 4 * 1024 * 1024;

/** The log file of a starting server and what the server has written since. */
export interface ServerLog {
  readonly path: string;
  readonly descriptor: number;
  close(): void;
  /** Returns everything written since this log was opened. */
  sinceOpened(): string;
}

export function openServerLog(dataDir: string): ServerLog {
  const path = join(dataDir, 'postgres.log');
  const descriptor = openSync(path, 'a', 0o600);
  if (fstatSync(descriptor).size > MAX_LOG_BYTES) ftruncateSync(descriptor);
  const start = fstatSync(descriptor).size;
  return {
    path,
    descriptor,
    close: () => closeSync(descriptor),
    sinceOpened: () => readFileSync(path).subarray(start).toString(),
  };
}

/** Returns the line that explains why a PostgreSQL program gave up, without time and process number. */
export function reasonIn(output: string): string {
  const lines = output.split('\n').filter((line) => line.trim() !== '');
  const fatal = lines.findLast((line) => /\b(FATAL|PANIC|error):/.test(line));
  const line = fatal ?? lines.at(-1) ?? 'it left no message';
  return line.replace(/^.*?\b(FATAL|PANIC|error):\s*/, '').trim();
}
