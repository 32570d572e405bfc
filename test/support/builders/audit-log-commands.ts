import { execFile } from 'node:child_process';
import { MASTER_KEY } from '../app/secrets.js';
import type { TestDatabase } from '../database/test-database.js';

/**
 * Runs `npm run audit:export`.
 * @returns the path
 */
export async function exportAuditLog({ url }: TestDatabase, path: string): Promise<string> {
  await runAuditExport([path], { DATABASE_URL: url, MASTER_KEY, NODE_ENV: 'test' });
  return path;
}

export const runAuditExport = (args: string[], env: Record<string, string>) =>
  run('dist/src/operator/audit-export.js', args, env);

/** Runs `npm run audit:verify`, which has no database. */
export const verifyAuditLogFile = (...args: string[]) => run('dist/src/operator/audit-verify.js', args, {});

/** Runs a command as a separate process with exactly this environment. */
function run(entry: string, args: string[], env: Record<string, string>) {
  return new Promise<{ code: number; out: string }>((resolve) => {
    execFile(process.execPath, [entry, ...args], { env }, (error, stdout, stderr) =>
      resolve({ code: error ? Number(error.code) : 0, out: stdout + stderr }),
    );
  });
}
