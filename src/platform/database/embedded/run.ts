import { execFile } from 'node:child_process';

/** A user of the operating system. */
export interface OsUser {
  readonly uid: number;
  readonly gid: number;
}

const MAX_OUTPUT_BYTES = 1024 * 1024;

/**
 * What PostgreSQL's programs see: nothing of ours. They need no secret of the service, and PGPORT, PGDATA or
 * LC_MESSAGES of the caller would change what they do. Windows programs do not start without theirs.
 */
export const CHILD_ENVIRONMENT: NodeJS.ProcessEnv | undefined =
  process.platform === 'win32' ? undefined : { LC_ALL: 'C', TZ: 'UTC' };

/**
 * Runs a program to its end, at most `timeoutMs`, then kills it. Never throws: what it printed tells what was
 * wrong.
 */
export async function run(
  file: string,
  args: readonly string[],
  options: { as?: OsUser | null; cwd?: string; timeoutMs: number },
): Promise<{ ok: boolean; late: boolean; output: string }> {
  return new Promise((resolve) => {
    const settings = {
      ...options.as,
      // The caller's folder may be closed to the user the program runs as.
      cwd: options.cwd ?? '/',
      env: CHILD_ENVIRONMENT,
      timeout: options.timeoutMs,
      killSignal: 'SIGKILL',
      maxBuffer: MAX_OUTPUT_BYTES,
      windowsHide: true,
    } as const;
    try {
      execFile(file, args, settings, (error, stdout, stderr) => {
        const late = error?.killed === true;
        const end = late ? `killed after ${options.timeoutMs / 1000} s\n` : '';
        const silent = stdout === '' && stderr === '' ? (error?.message ?? '') : '';
        resolve({ ok: error === null, late, output: `${stdout}${stderr}${silent}${end}` });
      });
    } catch (error) {
      resolve({ ok: false, late: false, output: String(error) });
    }
  });
}
