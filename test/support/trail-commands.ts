import { execFile } from 'node:child_process';
import { MASTER_KEY } from './secrets.js';
import type { TestDatabase } from './test-database.js';

/** `npm run audit:export`. @returns the path */
export async function exportTrail({ url }: TestDatabase, path: string): Promise<string> {
  await run('dist/src/audit-export.js', [path], { DATABASE_URL: url, MASTER_KEY, NODE_ENV: 'test' });
  return path;
}

/** `npm run audit:verify`: where there is no database. */
export const checkTrail = (...args: string[]) => run('dist/src/audit-verify.js', args, {});

/** A command as a process of its own, with that environment and no other. */
function run(entry: string, args: string[], env: Record<string, string>) {
  return new Promise<{ code: number; out: string }>((resolve) => {
    execFile(process.execPath, [entry, ...args], { env }, (error, stdout, stderr) =>
      resolve({ code: error ? Number(error.code) : 0, out: stdout + stderr }),
    );
  });
}
