const ERRNO_TEXT: Readonly<Record<string, string>> = {
  EACCES: 'no right to use it',
  EDQUOT: 'the disk quota is used up',
  EEXIST: 'something else is in its place',
  ENOENT: 'it is not there and cannot be made',
  ENOSPC: 'the disk is full',
  ENOTDIR: 'a part of the path is a file, not a folder',
  EPERM: 'no right to use it',
  EROFS: 'the file system is read-only',
};

/**
 * The embedded server cannot be used. The message is one line for the person at the terminal: print it and
 * exit 1.
 */
export class EmbeddedPostgresError extends Error {
  override readonly name = 'EmbeddedPostgresError';
}

/**
 * Turns whatever went wrong into one line; file system errors by their meaning and path, everything else by
 * its first line.
 */
export function toEmbeddedPostgresError(error: unknown, dataDir: string): EmbeddedPostgresError {
  if (error instanceof EmbeddedPostgresError) return error;
  return new EmbeddedPostgresError(`embedded PostgreSQL in DATA_DIR ${dataDir}: ${reasonOf(error)}`, {
    cause: error,
  });
}

/** Returns one line on what went wrong. */
export function reasonOf(error: unknown): string {
  const code = codeOf(error);
  const meaning = code === undefined ? undefined : ERRNO_TEXT[code];
  return meaning === undefined ? firstLine(error) : `${pathOf(error)}${meaning} (${code})`;
}

/** The code of a system error (`ENOENT`) or of one that the database sent (`57P03`). */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** What `reading` finds, or null when there is no such file. */
export async function ifThere<T>(reading: Promise<T>): Promise<T | null> {
  return reading.catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return null;
    throw error;
  });
}

function pathOf(error: unknown): string {
  return error instanceof Error && 'path' in error && typeof error.path === 'string' ? `${error.path}: ` : '';
}

function firstLine(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.split('\n', 1)[0] ?? '';
}
