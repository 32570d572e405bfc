import { EmbeddedPostgresError } from './embedded-postgres.error.js';
import { run } from './run.js';

/** Absolute paths of one PostgreSQL installation's programs. */
export interface PostgresBinaries {
  readonly initdb: string;
  readonly pg_ctl: string;
  readonly postgres: string;
}

const INSTEAD = 'set DATABASE_URL to use a PostgreSQL server of your own';

/**
 * The programs that the devDependency `embedded-postgres` brings. Its platform package is asked directly:
 * importing `embedded-postgres` itself installs signal and exit handlers, which end the process before it has
 * drained.
 */
export async function locateBinaries(): Promise<PostgresBinaries> {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  try {
    const paths: PostgresBinaries = await import(name);
    return paths;
  } catch (error) {
    throw new EmbeddedPostgresError(
      `no embedded PostgreSQL here: ${name} is not installed (a development dependency); ${INSTEAD}`,
      { cause: error },
    );
  }
}

/**
 * The major version of `binaries`. Fails when they cannot run here, as with skipped install scripts or
 * another libc.
 */
export async function majorVersion(binaries: PostgresBinaries): Promise<number> {
  const { ok, output } = await run(binaries.postgres, ['--version'], { timeoutMs: 10_000 });
  const major = /PostgreSQL\)? (\d+)/.exec(output)?.[1];
  if (ok && major !== undefined) return Number(major);
  throw new EmbeddedPostgresError(
    `${binaries.postgres} does not run here: ${output.trim().split('\n').at(-1) ?? ''}; ` +
      `reinstall with install scripts allowed (npm ci), or ${INSTEAD}`,
  );
}
