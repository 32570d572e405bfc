const ERRNO_TEXT: Readonly<Record<string, string>> = {
  EACCES: 'no permission to use it',
  EDQUOT: 'the disk quota is used up',
  EEXIST: 'something else is in its place',
  ENOENT: 'it does not exist and cannot be created',
  ENOSPC: 'the disk is full',
  ENOTDIR: 'a part of the path is a file, not a folder',
  EPERM: 'no permission to use it',
  EROFS: 'the file system is read-only',
};

/**
 * An error for an embedded server that cannot be used. The message is one line for the person at the
 * terminal: print it and exit with code 1.
 */
export class EmbeddedPostgresError extends Error {
  override readonly name = 'EmbeddedPostgresError';
}

/**
 * Converts any error into one line: a file system error into its meaning and path, any other error into its
 * first line.
 */
export function toEmbeddedPostgresError(error: unknown, dataDir: string): EmbeddedPostgresError {
  if (error instanceof EmbeddedPostgresError) return error;
  return new EmbeddedPostgresError(`embedded PostgreSQL in DATA_DIR ${dataDir}: ${reasonOf(error)}`, {
    cause: error,
  });
}

/** Returns a one-line description of the error. */
export function reasonOf(error: unknown): string {
  const code = codeOf(error);
  const meaning = code === undefined ? undefined : ERRNO_TEXT[code];
  return meaning === undefined ? firstLine(error) : `${pathOf(error)}${meaning} (${code})`;
}

/** Returns the code of a system error (`ENOENT`) or of a database error (`57P03`). */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** Returns the result of `reading`, or null when the file does not exist. */
export async function nullIfMissing<T>(reading: Promise<T>): Promise<T | null> {
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
