import { execFile } from 'node:child_process';

/** A user of the operating system. */
export interface OsUser {
  readonly uid: number;
  readonly gid: number;
}

const MAX_OUTPUT_BYTES = 1024 * 1024;

/**
 * The environment of PostgreSQL's programs, without our variables. They need no secrets of the service, and
 * PGPORT, PGDATA or LC_MESSAGES would change what they do. On Windows, programs do not start without the
 * inherited environment.
 */
export const CHILD_ENVIRONMENT: NodeJS.ProcessEnv | undefined =
  process.platform === 'win32' ? undefined : { LC_ALL: 'C', TZ: 'UTC' };

/**
 * Runs a program to completion and kills it after `timeoutMs`. Never throws: the program's output explains a
 * failure.
 */
export async function runProgram(
  file: string,
  args: readonly string[],
  options: { as?: OsUser | null; cwd?: string; timeoutMs: number },
): Promise<{ ok: boolean; late: boolean; output: string }> {
  return new Promise((resolve) => {
    const settings = {
      ...options.as,
      // The user that the program runs as may lack access to the caller's folder.
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
