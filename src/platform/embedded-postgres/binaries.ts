import { EmbeddedPostgresError } from './embedded-postgres.error.js';
import { runProgram } from './run-program.js';

/** The absolute paths of one PostgreSQL installation's programs. */
export interface PostgresBinaries {
  readonly initdb: string;
  readonly pg_ctl: string;
  readonly postgres: string;
}

/** The call takes milliseconds on an idle machine and far longer on a cold disk under load. */
const VERSION_TIMEOUT_MS = 60_000;
const ALTERNATIVE_HINT = 'set DATABASE_URL to use a PostgreSQL server of your own';

/**
 * Returns the programs that the devDependency `embedded-postgres` installs. Imports its platform package
 * directly, because importing `embedded-postgres` itself installs signal and exit handlers that end the
 * process before it has drained.
 */
export async function locateBinaries(): Promise<PostgresBinaries> {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  try {
    const paths: PostgresBinaries = await import(name);
    return paths;
  } catch (error) {
    throw new EmbeddedPostgresError(
      `no embedded PostgreSQL available: ${name} (a development dependency) is not installed; ${ALTERNATIVE_HINT}`,
      { cause: error },
    );
  }
}

/**
 * Returns the major version of `binaries`. Fails when they cannot run on this machine, for example after
 * skipped install scripts or with another libc.
 */
export async function majorVersion(
  binaries: PostgresBinaries,
  timeoutMs = VERSION_TIMEOUT_MS,
): Promise<number> {
  const { ok, late, output } = await runProgram(binaries.postgres, ['--version'], { timeoutMs });
  const major = /PostgreSQL\)? (\d+)/.exec(output)?.[1];
  if (ok && major !== undefined) return Number(major);
  const lastLine = output.trim().split('\n').at(-1) || 'it printed nothing';
  const reason = late ? `it did not answer within ${timeoutMs / 1000} s` : lastLine;
  throw new EmbeddedPostgresError(
    `${binaries.postgres} does not run here: ${reason}; ` +
      `reinstall with install scripts allowed (npm ci), or ${ALTERNATIVE_HINT}`,
  );
}
